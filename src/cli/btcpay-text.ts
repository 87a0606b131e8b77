import type { ServiceStatus } from '../core/status.ts';
import { plain } from './terminal.ts';

/**
 * What BTCPay Server has to be told so that its links, logins and callbacks fit a page at a public name. Without it, it
 * answers "BTCPay is expecting you to access this website from …". Its own documents: Docker, Networking, "External
 * Reverse Proxy". `undefined` where it has no such page. Pure.
 */
export function btcpayText({ kind, port, ways }: ServiceStatus): string | undefined {
  const names = ways.flatMap(({ addresses }) =>
    addresses.flatMap(({ url }) => /^https:\/\/([^/]+)$/.exec(url)?.[1] ?? []),
  );
  const [host, ...others] = names.map(plain);
  if (kind !== 'btcpay' || host === undefined) return undefined;
  return [
    '',
    `BTCPay Server must know that it is found at https://${host}. Installed with its docker:`,
    '  export BTCPAYGEN_REVERSEPROXY="nginx"',
    `  export BTCPAY_HOST="${host}"`,
    ...(others.length === 0 ? [] : [`  export BTCPAY_ADDITIONAL_HOSTS="${others.join(',')}"`]),
    '  export BTCPAY_PROTOCOL="https"',
    `  export REVERSEPROXY_HTTP_PORT="${port}"`,
    '  export TRUST_DOWNSTREAM_PROXY="true"',
    '  export BTCPAYGEN_EXCLUDE_FRAGMENTS="$BTCPAYGEN_EXCLUDE_FRAGMENTS;nginx-https"',
    '  . ./btcpay-setup.sh -i',
    'Its own certificates and its port 443 are switched off by that; nobody but the gateway should reach its port',
    `${port}. Without docker nothing has to be set: it goes by the Host and X-Forwarded-* headers, which the`,
    'gateway sets, after it has removed those of visitors.',
  ].join('\n');
}
