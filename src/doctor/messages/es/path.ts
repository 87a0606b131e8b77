/** De los routers en el camino de salida. */
export const path = {
  'nat.name': 'Routers',
  'nat.none': 'ninguno traduce direcciones: esta máquina está ella misma en internet',
  'nat.unknown': 'no se sabe; {why}',
  'nat.exact': {
    one: '{count} router traduce direcciones (exacto)',
    other: '{count} routers traducen direcciones (exacto)',
  },
  'nat.probably': {
    one: 'probablemente {count} router traduce direcciones; {why}',
    other: 'probablemente {count} routers traducen direcciones; {why}',
  },
  'nat.range': {
    one: 'de {min} a {max} routers traducen direcciones, probablemente {count}; {why}',
    other: 'de {min} a {max} routers traducen direcciones, probablemente {count}; {why}',
  },
  'nat.at-least': {
    one: 'al menos {min} router traduce direcciones, probablemente {count}; {why}',
    other: 'al menos {min} routers traducen direcciones, probablemente {count}; {why}',
  },
  'nat.doubt.outside': 'no se pudo preguntar a nadie de fuera en qué dirección está esta casa',
  'nat.doubt.unbounded': 'ninguno de ellos tiene la dirección que ve el mundo',
  'nat.doubt.unproved':
    'no todas las cajas muestran lo que hacen; un relay y gateway doctor nat --full lo dirían',
  'nat.doubt.addresses': 'solo una forma de mirar lo encontró',
  'nat.doubt.state': 'un relay y el examen completo (gateway doctor nat --full) lo harían exacto',
  'nat.doubt.unsteady': 'la línea perdió paquetes mientras se miraba',
  'nat.doubt.disagree': 'unas formas de mirar contradicen a otras',
  'nat.surely': 'traducen',
  'nat.likely': 'probablemente traducen',
  'nat.box': 'router {ttl}',
  'nat.fix.public-address': 'Pida «una dirección IPv4 pública»; a menudo es gratis, o unos euros al mes.',
  'nat.fix.relay':
    'O alquile una máquina pequeña y que los visitantes vengan a través de ella: gateway relay install allí, gateway relay join aquí (docs/relay.md), y después:',
  'nat.fix.onion':
    'O use una dirección onion, que no necesita nada de su proveedor. Los visitantes necesitan Tor Browser:',
  'nat.fix.ipv6':
    'O use IPv6, que su línea tiene: esta máquina es {address}. Abra su puerto en el router, en «cortafuegos IPv6». No todos los visitantes tienen IPv6.',
  'nat.fix.bridge':
    'Ponga el router {last} ({box}, {page}) en «modo puente» o «modo módem»: entonces solo traduce el router {first}. Si es del proveedor, pida al proveedor que lo haga.',
  'nat.fix.access-point':
    'O haga del router {first} un simple punto de acceso: en sus páginas el ajuste se llama «modo de operación».',
  'nat.fix.through': 'O deje los dos, y que los dos abran los puertos. Aceptan tales peticiones:',
  'nat.fix.both':
    'O redirija cada puerto dos veces: en el router {last} ({page}) hacia {wan}, y en el router {first} hacia esta máquina.',
  'NAT_CARRIER.title': 'Su proveedor comparte una dirección pública entre clientes (NAT del operador)',
  'NAT_CARRIER.seen':
    'la dirección exterior del router {ttl} es {wan}, y el mundo ve {world}: traduce otra caja más, en la red de su proveedor. Nada dentro de su casa puede abrir un puerto a través de ella.',
  'NAT_DOUBLE.title': 'Dentro de su casa {count} cajas {sure} direcciones, una detrás de otra',
  'NAT_DOUBLE.seen':
    'la dirección exterior del router {first} es {wan}, dentro de la red del router {last}. Un puerto abierto solo en uno no lleva a ninguna parte.',
  'NAT_SYMMETRIC.title': 'Su línea muestra a cada máquina de fuera otro puerto',
  'NAT_SYMMETRIC.seen':
    'dos máquinas de fuera vieron venir los mismos paquetes de puertos distintos. Los programas que perforan agujeros, como juegos y llamadas, lo tienen difícil. A los puertos redirigidos no les afecta.',

  'path.title': 'El camino de salida de su casa: {count}',
  'path.machine': 'esta máquina',
  'path.router': 'router {ttl}',
  'path.internet': 'internet',
  'path.hidden': '(no muestra dirección)',
  'path.world': 'el mundo ve {address}',
  'path.nobody': 'no se pudo preguntar a nadie de fuera qué ve',
  'path.owner-yours': 'probablemente suyo',
  'path.owner-provider': 'probablemente de su proveedor',
  'path.translates-yes': 'traduce',
  'path.translates-no': 'solo pasa los paquetes',
  'path.translates-unknown': 'quizá traduce',
  'path.opens': 'abre puertos si se le pide',
} as const;
