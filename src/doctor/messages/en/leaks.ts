/** Of what strangers can learn of services that hide where they are. */
export const leaks = {
  'leaks.name': 'Leaks',
  'leaks.alone': 'This is about what strangers can learn. Whether the ways in work was not looked at.',
  'leaks.none': 'no service hides where it is',
  'leaks.ok': 'strangers learn nothing of {names} that they should not',
  'leaks.found': {
    one: 'strangers can learn {count} thing of services that hide where they are',
    other: 'strangers can learn {count} things of services that hide where they are',
  },
  'leaks.unseen': 'could not be visited through Tor: {names}; sudo gateway status says how they are',
  'leaks.no-outside':
    'the services themselves tell nothing; this home could not be looked at from outside, which takes an onion of a service that is not tor-only, and its public address',
  'leaks.in-header': 'the header {header} of {path}',
  'leaks.in-page': 'the page {path}',
  'leaks.in-certificate': 'the certificate',
  'leaks.same-page': 'the page is the same',
  'leaks.same-certificate': 'the certificate is the same',
  'leaks.same-header': 'the header {header} is the same',
  'leaks.router-leads': 'leads straight to its program ({line})',
  'leaks.router-names': 'has its name in the description ({line})',
  'leaks.fix.program':
    'In the settings of the program of {name}, replace {words}: the address of its own pages (often called base URL, site address, server name, host) becomes that of its onion, or redirects become relative. Of a certificate, have the program make another one without it.',
  'leaks.fix.same':
    'Have the program of {name} answer in one way alone: let it listen inside its own namespace, take away the forwarding in the router, or give the onion a service and a program of its own.',
  'leaks.fix.onion-named': 'Take the onion of {name} out of {places} (the setting is called Onion-Location).',
  'leaks.fix.record':
    'Take that name away, and choose another for {name}. What once had a certificate stays in public logs for good.',
  'leaks.fix.router':
    'Remove the line of port {port} in the router, if it is not of the gateway. See all of them:',
  'leaks.fix.status-page':
    'Switch it off in the web server (of Apache: a2dismod status), or ask for a password there.',
  'leaks.fix.software':
    'Have the web server keep its version to itself (ServerTokens Prod, server_tokens off).',
  'LEAK_ADDRESS.title': '{name} tells its visitors the public address of this home',
  'LEAK_ADDRESS.seen': '{words} stands in {where}.',
  'LEAK_INSIDE.title': '{name} tells its visitors addresses inside this home',
  'LEAK_INSIDE.seen': '{words} stands in {where}.',
  'LEAK_NAME.title': '{name} tells its visitors a public name of this home',
  'LEAK_NAME.seen': '{words} stands in {where}.',
  'LEAK_SAME.title': '{name} is also found at {places}',
  'LEAK_SAME.seen': '{what} there, for strangers. Who finds both knows that they are one.',
  'LEAK_ONION_NAMED.title': 'The onion of {name} is told at {places}',
  'LEAK_ONION_NAMED.seen': 'it stands in the page, or in its headers.',
  'LEAK_RECORD.title': '{name} has its name in public records',
  'LEAK_RECORD.seen':
    '{names} is a public name of this home; each that has a certificate is in the public logs of certificates.',
  'LEAK_ROUTER.title': 'The router knows of {name}',
  'LEAK_ROUTER.seen': 'the line of its port {port} {how}.',
  'LEAK_STATUS_PAGE.title': '{name} shows everybody the status page of its web server',
  'LEAK_STATUS_PAGE.seen': '{path} tells who visits it, and what else it serves, with names and addresses.',
  'LEAK_SOFTWARE.title': '{name} tells which software it runs, and which version',
  'LEAK_SOFTWARE.seen':
    'the header {header} is "{words}". It is one more thing by which two ways to it can be told to be one.',
};
