import type { Catalogue } from './message.ts';

/** Español. */
export const es: Catalogue = {
  'time.seconds': { one: '{count} segundo', other: '{count} segundos' },
  'time.minutes': { one: '{count} minuto', other: '{count} minutos' },
  'time.hours': { one: '{count} hora', other: '{count} horas' },
  'time.days': { one: '{count} día', other: '{count} días' },

  'report.head': 'Examinado en {seconds} s. {changed}',
  'report.waiting': '{done} de {count} listas tras {seconds} s; se espera a {names}',
  'report.unchanged': 'No se cambió nada, ni aquí ni en su router.',
  'report.changed': 'Se cambió lo siguiente:',
  'report.not': 'Sus servicios NO son accesibles {ways}.',
  'report.partly': 'Algunos de sus servicios no son accesibles {ways}.',
  'report.reachable': 'Sus servicios SÍ son accesibles {ways}.',
  'report.unproved': 'Aún no se sabe si sus servicios son accesibles {ways}.',
  'report.line-trouble':
    'Esto trata solo de su línea de internet: no se pudo preguntar por ningún acceso a un servicio.',
  'report.line-fine':
    'Desde aquí, su línea de internet parece estar bien. No se miró ningún acceso a un servicio.',
  'report.seen': 'Visto: {seen}',
  'report.fix': 'Solución:',
  'report.by-provider': '(su proveedor de internet) {step}',
  'report.check': 'Comprobar: {command}',
  'report.evidence': 'Lo que se vio:',
  'report.nothing-to-do': 'No hay nada que hacer.',
  'report.problems': { one: '{count} problema le necesita.', other: '{count} problemas le necesitan.' },
  'report.more': { one: 'Hay {count} más que no se muestra.', other: 'Hay {count} más que no se muestran.' },
  'report.hidden': {
    one: 'Otro ({count}) desaparecerá probablemente con estos.',
    other: 'Otros {count} desaparecerán probablemente con estos.',
  },
  'report.details': 'Detalles: gateway doctor -v',

  'way.clearnet': 'por internet abierto',
  'way.wireguard': 'por WireGuard',
  'way.relay': 'a través del relay',
  'way.onion': 'por dirección onion',

  'check.late': 'sin respuesta en {seconds} s',
  'check.failed': 'no se pudo averiguar: {why}',
  'check.offline': 'no se preguntó: necesita máquinas de fuera, y usted escribió --offline',
  'check.gateway-none': 'no hay ningún gateway configurado en esta máquina',
  'check.gateway-stopped': 'necesita el gateway, que no responde',
  'check.gateway-denied': 'necesita el gateway, al que este usuario no puede preguntar (con sudo sí)',

  'clock.name': 'Reloj',
  'clock.right': 'en hora',
  'clock.unknown': 'nadie de fuera dijo la hora',
  'clock.contested': 'una máquina de fuera dice otra hora, y no había una segunda a la que preguntar',
  'clock.ahead': 'adelantado',
  'clock.behind': 'atrasado',
  'clock.off': '{amount} {direction}',
  'clock.fix.sync': 'Haga que esta máquina ponga su reloj en hora por internet:',
  'clock.fix.battery':
    'Si vuelve a estar mal tras un reinicio, la máquina no tiene reloj propio (muchas placas pequeñas no lo tienen) o su pila está agotada. Instale chrony o systemd-timesyncd.',
  'CLOCK_WRONG.title': 'El reloj de esta máquina va {amount} {direction}',
  'CLOCK_WRONG.seen':
    'dice {ours}; las máquinas de internet, que coinciden, dicen {theirs}. Con un reloj equivocado Tor no arranca y los certificados se rechazan.',
  'CLOCK_OFF.title': 'El reloj de esta máquina va {amount} {direction}',
  'CLOCK_OFF.seen':
    'dice {ours}; las máquinas de internet, que coinciden, dicen {theirs}. Todavía no hace daño; un reloj que nadie pone en hora se desvía cada vez más.',

  'web.name': 'Internet',
  'web.ok': 'las páginas llegan ({ms} ms)',
  'web.replaced': 'alguien responde en lugar de las páginas que se pidieron',
  'web.contested': 'una página no era la que debía ser, y las demás no llegaron',
  'web.no-names': 'hay máquinas accesibles, pero no se encuentran nombres',
  'web.none': 'no llega ninguna página',
  'web.fix.sign-in': 'Abra {page} en un navegador de esta red e inicie sesión o acepte allí.',
  'web.fix.router':
    'Mire el router: ¿está encendida su luz de internet? Apáguelo diez segundos, enciéndalo y espere tres minutos.',
  'web.fix.provider': 'Pregunte al proveedor si la línea está caída o la cuenta bloqueada.',
  'WEB_SIGN_IN.title': 'Esta red quiere que antes inicie sesión',
  'WEB_SIGN_IN.seen':
    'se pidieron páginas de {hosts} y llegó otra cosa: {page}. Hoteles, oficinas y trenes lo hacen hasta que alguien inicia sesión.',
  'WEB_NONE.title': 'No llega nada de internet',
  'WEB_NONE.seen': 'ninguno de {hosts} responde a esta máquina.',

  'disk.name': 'Disco',
  'disk.free': '{size} libres en {path}',
  'disk.unknown': 'no se pudo mirar',
  'disk.fix.look': 'Vea qué ocupa el espacio:',
  'disk.fix.remove': 'Borre lo que no haga falta; los registros viejos son un comienzo:',
  'disk.fix.read-only':
    'Un disco pasa a ser de solo lectura cuando está fallando o tras un corte de luz. Vea qué dice el sistema; antes haga una copia de todo (gateway backup):',
  'DISK_READ_ONLY.title': 'No se puede escribir nada en {path}',
  'DISK_READ_ONLY.seen': 'el disco que lo contiene es de solo lectura.',
  'DISK_FULL.title': 'El disco está lleno',
  'DISK_FULL.seen':
    'en {path} quedan {size}, y sitio para {files} archivos más. No se puede guardar nada nuevo.',
  'DISK_LOW.title': 'El disco está casi lleno',
  'DISK_LOW.seen': 'en {path} quedan {size}, y sitio para {files} archivos más.',

  'routes.name': 'Salida',
  'routes.out': 'sale por {interface}, {address}, hacia el router {gateway}',
  'routes.direct': 'sale por {interface}, {address}',
  'routes.none': 'esta máquina no tiene salida',
  'routes.fix.connect':
    'Conecte el cable de red o entre en la Wi-Fi; vea después si el router dio una dirección.',
  'routes.fix.look': 'Debe haber una línea que empiece por «default»:',
  'routes.fix.exclude':
    'Diga al programa de la VPN que deje en paz el tráfico del gateway (suele llamarse «split tunnelling»), o que use {interface} solo para los programas elegidos.',
  'routes.fix.vpn-off': 'O apague la VPN en esta máquina y pruebe otra vez.',
  'routes.fix.one': 'Desconecte o apague una de las dos, por ejemplo {interface}.',
  'routes.fix.source':
    'Para conservar las dos, configure rutas según la dirección de origen, para que cada respuesta salga por la línea por la que vino la pregunta.',
  'ROUTE_NONE.title': 'Esta máquina no está conectada a ninguna red',
  'ROUTE_NONE.seen': 'de sus {interfaces} interfaces de red ninguna lleva fuera.',
  'ROUTE_VPN.title': 'Todo lo de esta máquina pasa por una VPN',
  'ROUTE_VPN.seen':
    'la salida es {interface}, que es un túnel. El mundo ve la dirección de la VPN, y quien visita su propia dirección no recibe respuesta.',
  'ROUTE_TWO.title': 'Esta máquina tiene dos salidas, hacia dos routers',
  'ROUTE_TWO.seen':
    '{first} lleva a {firstGateway}, {second} a {secondGateway}. A quien entra por una quizá se le responde por la otra, y no lo oye.',

  'dns.name': 'Nombres',
  'dns.ok': 'se encuentran nombres ({ms} ms)',
  'dns.silent': 'ningún servidor de nombres responde',
  'dns.wrong': 'los nombres se responden mal',
  'dns.unknown': 'unos nombres se encuentran y otros no',
  'dns.fix.router':
    'Reinicie el router. Si no ayuda, ponga en esta máquina otro servidor de nombres: por ejemplo 9.9.9.9.',
  'dns.fix.other':
    'Ponga en esta máquina otro servidor de nombres, por ejemplo 9.9.9.9. Si responde un filtro (Pi-hole, AdGuard), mire su registro.',
  'dns.fix.look': 'Vea a qué servidores pregunta esta máquina:',
  'DNS_SILENT.title': 'No se pueden buscar nombres como example.org',
  'DNS_SILENT.seen': 'los servidores a los que pregunta esta máquina ({servers}) no responden.',
  'DNS_WRONG.title': 'Quien busca los nombres para esta máquina responde mal',
  'DNS_WRONG.seen':
    '{servers} dice que {names} no existen, o que están en direcciones que no son de internet.',

  'udp.name': 'UDP',
  'udp.ok': 'pasa; el mundo ve {address}',
  'udp.blocked': 'no pasa',
  'udp.unknown': 'no se pudo preguntar a nadie',
  'udp.fix.firewall':
    'Si esta red es suya: busque en el router, o en esta máquina, un cortafuegos que solo deje salir la web; permita UDP.',
  'udp.fix.onion':
    'Si no lo es: use direcciones onion (gateway expose SERVICE --via tor), que no necesitan UDP. WireGuard no funciona aquí.',
  'UDP_BLOCKED.title': 'Esta red no deja salir UDP',
  'UDP_BLOCKED.seen': 'las páginas llegan, pero {servers} no responden. WireGuard solo usa UDP.',

  'gateway.name': 'Gateway',
  'gateway.none': 'no hay ninguno en esta máquina; se miró lo que se puede ver sin él',
  'gateway.denied': 'funciona, pero este usuario no puede preguntarle; sudo gateway doctor ve más',
  'gateway.stopped': 'está configurado, y no funciona',
  'gateway.down': 'se le dijo que cerrara todo',
  'gateway.no-ways': 'funciona; ningún servicio tiene acceso todavía',
  'gateway.ways': {
    one: 'funciona; {proved} de {count} acceso se probó desde fuera',
    other: 'funciona; {proved} de {count} accesos se probaron desde fuera',
  },
  'gateway.fix.start': 'Arránquelo:',
  'gateway.fix.log': 'Si vuelve a terminar, aquí están sus últimas palabras:',
  'gateway.fix.up': 'Vuelva a abrirlo todo:',
  'gateway.fix.look': 'Vea cada acceso y qué le falta:',
  'gateway.fix.service':
    'Arranque lo que debería responder allí ({names}), o corrija su puerto: gateway service set NAME --port PORT.',
  'gateway.fix.plan': 'Vea qué cambiaría:',
  'gateway.fix.apply': 'Aplíquelo:',
  'GATEWAY_STOPPED.title': 'El gateway no está funcionando',
  'GATEWAY_STOPPED.seen':
    '{why}. Los accesos que estaban abiertos quizá funcionen, pero nadie cuida de ellos.',
  'GATEWAY_DOWN.title': 'Se dijo al gateway que cerrara todo',
  'GATEWAY_DOWN.seen': 'alguien escribió gateway down.',
  'WAY_CLEARNET.title': 'Sin acceso por internet abierto: {names}',
  'WAY_CLEARNET.seen': '{why}.',
  'WAY_WIREGUARD.title': 'Sin acceso por WireGuard: {names}',
  'WAY_WIREGUARD.seen': '{why}.',
  'WAY_ONION.title': 'Sin acceso por dirección onion: {names}',
  'WAY_ONION.seen': '{why}.',
  'WAY_RELAY.title': 'Sin acceso a través del relay: {names}',
  'WAY_RELAY.seen': '{why}.',
  'SERVICE_SILENT.title': 'Un servicio no responde dentro de esta máquina: {names}',
  'SERVICE_SILENT.seen': '{why}. Ningún acceso sirve antes de que responda.',
  'GATEWAY_NOTICE.title': 'El gateway tiene algo que decirle',
  'GATEWAY_NOTICE.seen': '{notices}.',
  'GATEWAY_FILE_DIFFERS.title': 'gateway.yaml se cambió, y el cambio no está aplicado',
  'GATEWAY_FILE_DIFFERS.seen': 'el archivo no es lo que se aplicó por última vez.',
};
