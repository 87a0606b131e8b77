/** Lo que enmarca un informe. */
export const report = {
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
  'report.no-ways': 'No se miró ningún acceso a un servicio.',
  'report.seen': 'Visto: {seen}',
  'report.fix': 'Solución:',
  'report.by-provider': '(su proveedor de internet) {step}',
  'report.check': 'Comprobar: {command}',
  'report.evidence': 'Lo que se vio:',
  'report.nothing-to-do': 'No se encontró nada que hacer.',
  'report.problems': { one: '{count} problema le necesita.', other: '{count} problemas le necesitan.' },
  'report.more': { one: 'Hay {count} más que no se muestra.', other: 'Hay {count} más que no se muestran.' },
  'report.hidden': {
    one: 'Otro ({count}) desaparecerá probablemente con estos.',
    other: 'Otros {count} desaparecerán probablemente con estos.',
  },
  'report.details': 'Detalles: gateway doctor -v',

  'report.written': 'Escrito en {file}: un archivo para enviar a quien ayude.',

  'mend.asking': 'se pide a {router} que abra los mismos puertos',
  'mend.opened': '{router} abrió {port}, fuera en {outside}; gateway doctor --undo lo cierra',
  'mend.refused': 'se pidió {port} a {router}, y se negó; allí no hay nada abierto',
  'mend.failed': 'nada: {why}',
  'mend.undone': 'Lo que se abrió en routers más lejanos está cerrado.',

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
} as const;
