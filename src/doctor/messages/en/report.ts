/** What frames a report. */
export const report = {
  'time.seconds': { one: '{count} second', other: '{count} seconds' },
  'time.minutes': { one: '{count} minute', other: '{count} minutes' },
  'time.hours': { one: '{count} hour', other: '{count} hours' },
  'time.days': { one: '{count} day', other: '{count} days' },

  'report.head': 'Checked in {seconds} s. {changed}',
  'report.waiting': '{done} of {count} done after {seconds} s; waiting for {names}',
  'report.unchanged': 'Nothing was changed, here or on your router.',
  'report.changed': 'This was changed:',
  'report.not': 'Your services are NOT reachable {ways}.',
  'report.partly': 'Some of your services are not reachable {ways}.',
  'report.reachable': 'Your services ARE reachable {ways}.',
  'report.unproved': 'Not known yet: whether your services are reachable {ways}.',
  'report.line-trouble':
    'This is about your internet line alone: no way in to a service could be asked about.',
  'report.line-fine': 'Your internet line looks fine from here. No way in to a service was looked at.',
  'report.no-ways': 'No way in to a service was looked at.',
  'report.seen': 'Seen: {seen}',
  'report.fix': 'Fix:',
  'report.by-provider': '(your internet provider) {step}',
  'report.check': 'Check: {command}',
  'report.evidence': 'What was seen:',
  'report.nothing-to-do': 'Nothing was found that needs you.',
  'report.problems': { one: '{count} problem needs you.', other: '{count} problems need you.' },
  'report.more': { one: '{count} more is not shown.', other: '{count} more are not shown.' },
  'report.hidden': {
    one: '{count} more will probably be gone with these.',
    other: '{count} more will probably be gone with these.',
  },
  'report.details': 'Details: gateway doctor -v',

  'report.written': 'Written to {file}: one file to send to whoever helps.',

  'mend.asking': 'asking {router} to open the same ports',
  'mend.opened': '{router} opened {port}, at {outside} outside; gateway doctor --undo closes it',
  'mend.refused': '{router} was asked for {port}, and refused; nothing is open there',
  'mend.failed': 'nothing: {why}',
  'mend.undone': 'What was opened in routers farther out is closed.',

  'way.clearnet': 'over the open internet',
  'way.wireguard': 'by WireGuard',
  'way.relay': 'through the relay',
  'way.onion': 'by onion address',

  'check.late': 'no answer within {seconds} s',
  'check.failed': 'could not be found out: {why}',
  'check.offline': 'not asked: it needs machines outside, and you said --offline',
  'check.gateway-none': 'no gateway is set up on this machine',
  'check.gateway-stopped': 'needs the gateway, which does not answer',
  'check.gateway-denied': 'needs the gateway, which this user may not ask (sudo may)',
} as const;
