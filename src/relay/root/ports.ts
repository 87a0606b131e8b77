import { GatewayError } from '../../core/errors.ts';
import { formatEndpoint } from '../../core/inet.ts';
import { findOneOfEdge } from '../../helper/edge-process.ts';
import type { HelperEnvironment } from '../../helper/environment.ts';
import { parseListeners } from '../../helper/listeners.ts';
import { run } from '../../system/run.ts';

export interface WantedPorts {
  readonly addresses: readonly string[];
  readonly tlsPort: number;
  readonly httpPort: number | null;
}

/** `PortInUse`, with what its owner can do, when another program has a port of ours; HAProxy's own words would not help. */
export async function demandPorts(
  { addresses, tlsPort, httpPort }: WantedPorts,
  environment: HelperEnvironment,
  signal: AbortSignal,
): Promise<void> {
  // It runs from before: the ports are its.
  if ((await findOneOfEdge(environment)) !== undefined) return;
  const { stdout } = await run(['ss', '-H', '-l', '-t', '-n'], { signal });
  const taken = parseListeners(stdout).filter(({ address }) =>
    ['0.0.0.0', '::', ...addresses].includes(address),
  );
  const holder = (port: number | null) => taken.find((one) => one.port === port);
  const web = holder(tlsPort);
  if (web !== undefined) throw inUse(web.address, web.port, tlsHint());
  const plain = holder(httpPort);
  if (plain !== undefined) throw inUse(plain.address, plain.port, httpHint());
}

function inUse(address: string, port: number, hint: string): GatewayError {
  const at = formatEndpoint({ host: address, port });
  return new GatewayError(`TCP port ${port} is taken by another program of this machine (${at})`, {
    code: 'PortInUse',
    retry: 'when-changed',
    hint,
  });
}

function tlsHint(): string {
  return [
    'keep that web server, behind the relay: let it listen on 127.0.0.1:8443 instead, like',
    '  nginx:   listen 127.0.0.1:8443 ssl;',
    '  Apache:  Listen 127.0.0.1:8443 https',
    'and start the relay with --else 127.0.0.1:8443: names that no home has go there, untouched;',
    'or give the relay another port: --tls-port 8443, and its names have :8443 behind them',
  ].join('\n  ');
}

function httpHint(): string {
  return [
    'give the relay another port, --http-port 8080, and let that web server pass names of homes on to it, like',
    '  nginx:   server { listen 80; server_name pay.example.com; location / { proxy_pass http://127.0.0.1:8080; proxy_set_header Host $host; } }',
    'or do without: --http-port 0; certificates are then proved by TLS-ALPN-01 or DNS-01',
  ].join('\n  ');
}
