/** De la línea: reloj, salida, nombres, paquetes, routers. */
export const line = {
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
  'web.fix.provider': 'Pregunte si la línea está caída o la cuenta bloqueada.',
  'WEB_SIGN_IN.title': 'Esta red quiere que antes inicie sesión',
  'WEB_SIGN_IN.seen':
    'se pidieron páginas de {hosts} y llegó otra cosa: {page}. Hoteles, oficinas y trenes lo hacen hasta que alguien inicia sesión.',
  'WEB_NONE.title': 'No llega nada de internet',
  'WEB_NONE.seen': 'ninguno de {hosts} responde a esta máquina.',

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
  'ROUTE_NONE.seen': 'ninguna de sus interfaces de red lleva fuera.',
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

  'router.open': 'Abra las páginas del propio router: {page} (la contraseña suele estar impresa debajo).',
  'router.open-somehow': 'Abra las páginas del propio router: su dirección está impresa debajo.',
  'router.menu.fritz':
    'FRITZ!Box: Internet > Permitir acceso > Habilitación de puertos > Añadir dispositivo, elija esta máquina, Nueva habilitación > Habilitación de puertos.',
  'router.menu.tp-link':
    'TP-Link: Avanzado > Reenvío NAT > Reenvío de puertos (o Servidores virtuales) > Añadir. En la aplicación Deco: Más > Avanzado > Reenvío NAT.',
  'router.menu.netgear':
    'Netgear: Avanzado > Configuración avanzada > Reenvío de puertos > Agregar servicio personalizado.',
  'router.menu.asus':
    'ASUS: Configuración avanzada > WAN > Servidor virtual / Reenvío de puertos > Añadir perfil.',
  'router.menu.linksys': 'Linksys: Seguridad > Aplicaciones y juegos > Reenvío de puerto único.',
  'router.menu.airport':
    'AirPort: Utilidad AirPort > la estación base > Editar > Red > Ajustes de puertos > + .',
  'router.menu.openwrt': 'OpenWrt: Red > Cortafuegos > Reenvíos de puertos > Añadir.',
  'router.menu.unifi':
    'UniFi: Ajustes > Policy Engine (antes: Seguridad, o Routing & Firewall) > Port Forwarding > Crear.',
  'router.menu.mikrotik':
    'MikroTik: IP > Firewall > NAT > Add; chain dstnat, con la interfaz de la línea de internet, action dst-nat.',
  'router.menu.provider':
    'Router del proveedor: busque redirección de puertos o NAT/PAT, casi siempre en Internet, Red o Avanzado. Algunos solo se cambian en la página web del proveedor.',
  'router.menu.general':
    'Busque redirección de puertos, Port Forwarding, servidor virtual o NAT; casi siempre en Avanzado, Internet o Cortafuegos. Añada allí una línea.',
  'router.fields':
    'Escriba: nombre «gateway», protocolo {transport}, puerto externo {port}, puerto interno {port}, dirección interna {to}. Deje los demás campos como están y guarde.',
  'router.same-address':
    'Haga que el router dé siempre a esta máquina la misma dirección ({to}): el ajuste se llama reserva de dirección, concesión estática o «asignar siempre la misma dirección».',

  'egress.name': 'Otros puertos',
  'egress.ok': 'no solo la web puede salir',
  'egress.filtered': 'solo la web puede salir',
  'egress.unknown': 'no se pudo preguntar a nadie',
  'egress.fix.tor':
    'Para Tor, escriba la línea «ReachableAddresses *:80,*:443» en un archivo de /etc/gateway/torrc.d; después gateway down y gateway up. Para un relay, use su puerto 443.',
  'egress.fix.network': 'O pida a quien lleva esta red que deje salir más que la web.',
  'EGRESS_FILTERED.title': 'Esta red solo deja salir la web',
  'EGRESS_FILTERED.seen': '{hosts} responden en el puerto 443, y no en el {port}, que también ofrecen.',

  'ipv6.name': 'IPv6',
  'ipv6.none': 'esta línea no tiene; nada lo necesita',
  'ipv6.ok': 'funciona, como {address}',
  'ipv6.unknown': 'no se pudo preguntar a nadie por IPv6',
  'ipv6.broken': 'esta máquina tiene dirección, y no pasa nada',
  'ipv6.fix.router':
    'Reinicie el router. Si no ayuda, apague IPv6 en las páginas del router: una línea sin él funciona mejor que una con la mitad.',
  'ipv6.fix.provider': 'Diga que se reparten direcciones IPv6 y que no pasa nada por ellas.',
  'IPV6_BROKEN.title': 'IPv6 está roto a medias: hay dirección, y no pasa nada',
  'IPV6_BROKEN.seen':
    'esta máquina es {address}, y no puede conectarse a las direcciones IPv6 de {hosts}, mientras que IPv4 funciona. Los programas prueban primero IPv6, y todo empieza despacio.',

  'mtu.name': 'Paquetes grandes',
  'mtu.ok': 'pasan ({size} bytes)',
  'mtu.told': 'algún router del camino los quiere más pequeños, y lo dice, lo cual está bien',
  'mtu.unknown': 'nadie responde a ping, o no está en esta máquina',
  'mtu.hole': 'los paquetes de {size} bytes desaparecen',
  'mtu.fix.router':
    'En las páginas del router ponga a {size} la MTU de la línea de internet, o active lo que llame MSS clamping.',
  'mtu.fix.here': 'O, solo para esta máquina, con el nombre de su interfaz (ip link lo muestra):',
  'MTU_BLACK_HOLE.title': 'Los paquetes grandes desaparecen por el camino, y nadie lo dice',
  'MTU_BLACK_HOLE.seen':
    '{hosts} responden a paquetes pequeños, y a ninguno de {full} bytes; hasta {size} pasan. Las páginas empiezan a cargar y se quedan colgadas.',
} as const;
