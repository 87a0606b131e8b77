/** De lo que los extraños pueden saber de los servicios que ocultan dónde están. */
export const leaks = {
  'leaks.name': 'Fugas',
  'leaks.alone':
    'Esto trata de lo que los extraños pueden saber. No se miró si funcionan las vías de entrada.',
  'leaks.none': 'ningún servicio oculta dónde está',
  'leaks.ok': 'los extraños no saben de {names} nada que no deban',
  'leaks.found': {
    one: 'los extraños pueden saber {count} cosa de los servicios que ocultan dónde están',
    other: 'los extraños pueden saber {count} cosas de los servicios que ocultan dónde están',
  },
  'leaks.unseen': 'no se pudo visitar por Tor: {names}; sudo gateway status dice cómo están',
  'leaks.no-outside':
    'los servicios mismos no dicen nada; no se pudo mirar esta casa desde fuera, lo que requiere un onion de un servicio que no sea tor-only, y su dirección pública',
  'leaks.in-header': 'la cabecera {header} de {path}',
  'leaks.in-page': 'la página {path}',
  'leaks.in-certificate': 'el certificado',
  'leaks.same-page': 'la página es la misma',
  'leaks.same-certificate': 'el certificado es el mismo',
  'leaks.same-header': 'la cabecera {header} es la misma',
  'leaks.router-leads': 'lleva directamente a su programa ({line})',
  'leaks.router-names': 'lleva su nombre en la descripción ({line})',
  'leaks.fix.program':
    'En los ajustes del programa de {name}, cambie {words}: la dirección de sus propias páginas (suele llamarse base URL, site address, server name, host) pasa a ser la de su onion, o las redirecciones pasan a ser relativas. Si está en un certificado, haga que el programa cree otro sin ello.',
  'leaks.fix.same':
    'Haga que el programa de {name} responda por un solo camino: que escuche dentro de su propio espacio de red, quite la redirección en el router, o dé al onion un servicio y un programa propios.',
  'leaks.fix.onion-named': 'Quite el onion de {name} de {places} (el ajuste se llama Onion-Location).',
  'leaks.fix.record':
    'Quite ese nombre y elija otro para {name}. Lo que tuvo un certificado queda para siempre en registros públicos.',
  'leaks.fix.router':
    'Borre en el router la línea del puerto {port}, si no es del gateway. Para verlas todas:',
  'leaks.fix.status-page':
    'Desactívela en el servidor web (en Apache: a2dismod status), o pida allí una contraseña.',
  'leaks.fix.software': 'Haga que el servidor web no diga su versión (ServerTokens Prod, server_tokens off).',
  'LEAK_ADDRESS.title': '{name} dice a sus visitantes la dirección pública de esta casa',
  'LEAK_ADDRESS.seen': '{words} figura en {where}.',
  'LEAK_INSIDE.title': '{name} dice a sus visitantes direcciones del interior de esta casa',
  'LEAK_INSIDE.seen': '{words} figura en {where}.',
  'LEAK_NAME.title': '{name} dice a sus visitantes un nombre público de esta casa',
  'LEAK_NAME.seen': '{words} figura en {where}.',
  'LEAK_SAME.title': '{name} se encuentra también en {places}',
  'LEAK_SAME.seen': '{what} allí, para los extraños. Quien encuentra ambos sabe que son uno.',
  'LEAK_ONION_NAMED.title': 'El onion de {name} se dice en {places}',
  'LEAK_ONION_NAMED.seen': 'figura en la página o en sus cabeceras.',
  'LEAK_RECORD.title': '{name} tiene su nombre en registros públicos',
  'LEAK_RECORD.seen':
    '{names} es un nombre público de esta casa; cada uno que tiene certificado está en los registros públicos de certificados.',
  'LEAK_ROUTER.title': 'El router sabe de {name}',
  'LEAK_ROUTER.seen': 'la línea de su puerto {port} {how}.',
  'LEAK_STATUS_PAGE.title': '{name} muestra a todos la página de estado de su servidor web',
  'LEAK_STATUS_PAGE.seen': '{path} dice quién lo visita y qué más sirve, con nombres y direcciones.',
  'LEAK_SOFTWARE.title': '{name} dice qué programa usa, y en qué versión',
  'LEAK_SOFTWARE.seen':
    'la cabecera {header} es "{words}". Es una cosa más por la que se ve que dos caminos llevan a lo mismo.',
};
