import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gatewayFolder, toolsFolder } from '../../src/lab/places.ts';
import { run } from '../../src/system/run.ts';
import { until, type Machine } from '../support/machine.ts';
import type { WebLab } from '../support/web-lab.ts';

/** Somebody in front of the same service, on the same machine, with the same certificate. */
export interface Rival {
  readonly name: string;
  readonly port: number;
  /** In the command line of its first process, and of no other. */
  readonly marker: string;
}

const FOLDER = '/run/rivals';
export const BULK_BYTES = 20_000_000;

/** Unpacks what is missing, and installs nothing. */
export async function fetchRivals(signal: AbortSignal): Promise<void> {
  await run([join(gatewayFolder(), 'bin/setup-set'), 'rivals'], { signal, timeoutMs: 300_000 });
}

export function program(name: 'nginx' | 'caddy' | 'wrk' | 'h2load'): string {
  return join(toolsFolder(), 'rivals/bin', name);
}

/** Not written to a disk, and no line for a request: as the edge. */
const NGINX = (folder: string, http: string): string => `
worker_processes auto;
daemon off;
user root;
pid ${folder}/pid;
error_log ${folder}/log;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  sendfile on;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${folder}/${each};`).join('\n  ')}
  ${http}
}
`;

/** What all of them are in front of: an nginx in the shop's own namespace. */
export async function startOrigin({ machine }: WebLab, port: number): Promise<void> {
  const folder = `${FOLDER}/origin`;
  await mkdir(machine.outside(`${folder}/www`), { recursive: true });
  await machine.sh('truncate', '-s', String(BULK_BYTES), `${folder}/www/bulk`);
  const places = `location / { return 200 "A small answer.\\n"; } location /bulk { root ${folder}/www; }`;
  await writeFile(machine.outside(`${folder}/conf`), NGINX(folder, `server { listen ${port}; ${places} }`));
  const argv = ['--net=/run/netns/gw-shop', program('nginx'), '-c', `${folder}/conf`] as const;
  machine.start('nsenter', ...argv, '-e', `${folder}/log`);
}

/** As a person who knows their manual writes them, and no longer. */
export async function startRivals(
  { machine }: WebLab,
  pem: string,
  host: string,
  to: { readonly host: string; readonly port: number },
): Promise<Rival[]> {
  const target = `${to.host}:${to.port}`;
  const end = pem.indexOf('-----BEGIN PRIVATE');
  const nginx = `
  upstream shop { server ${target}; keepalive 256; }
  server {
    listen 9443 ssl http2;
    ssl_certificate ${FOLDER}/certificate.pem;
    ssl_certificate_key ${FOLDER}/key.pem;
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
    }
  }`;
  const haproxy = `
defaults
  mode http
  timeout connect 10s
  timeout client 1m
  timeout server 1m
frontend public
  bind :8443 ssl crt ${FOLDER}/both.pem alpn h2,http/1.1
  maxconn 10000
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto https
  default_backend shop
backend shop
  server shop ${target}
`;
  const caddy = `
{
  admin off
  auto_https off
}
https://${host}:10443 {
  tls ${FOLDER}/certificate.pem ${FOLDER}/key.pem
  reverse_proxy ${target}
}
`;
  const files = {
    'both.pem': pem,
    'certificate.pem': pem.slice(0, end),
    'key.pem': pem.slice(end),
    'haproxy.cfg': haproxy,
    'nginx.conf': NGINX(FOLDER, nginx),
    Caddyfile: caddy,
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(machine.outside(`${FOLDER}/${name}`), text);
  }
  machine.start('haproxy', '-db', '-f', `${FOLDER}/haproxy.cfg`);
  machine.start(program('nginx'), '-c', `${FOLDER}/nginx.conf`, '-e', `${FOLDER}/log`);
  // What goes to a service goes through no proxy of this machine.
  const home = ['env', '-i', `HOME=${FOLDER}`, program('caddy')] as const;
  machine.start(...home, 'run', '--adapter', 'caddyfile', '--config', `${FOLDER}/Caddyfile`);
  const rivals = [
    { name: 'HAProxy by hand', port: 8443, marker: `${FOLDER}/haproxy.cfg` },
    { name: 'nginx', port: 9443, marker: `${FOLDER}/nginx.conf` },
    { name: 'Caddy', port: 10_443, marker: `${FOLDER}/Caddyfile` },
  ];
  for (const { port } of rivals) {
    await until(async () => (await machine.sh('ss', '-Hltn')).includes(`:${port} `) || undefined);
  }
  return rivals;
}

/** Seconds of the processor that it took so far, with all its processes. */
export async function processorOf(machine: Machine, { marker }: Rival): Promise<number> {
  const first = (await machine.sh('pgrep', '-f', marker)).split('\n');
  const children = await Promise.all(first.map((pid) => machine.sh('sh', '-c', `pgrep -P ${pid} || true`)));
  const pids = new Set(
    [...first, ...children.flatMap((text) => text.split('\n'))].filter((pid) => pid !== ''),
  );
  const seconds = await Promise.all(
    [...pids].map(async (pid) => {
      const stat = await machine.sh('sh', '-c', `cat /proc/${pid}/stat 2>/dev/null || true`);
      const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
      return (user + system) / 100;
    }),
  );
  return seconds.reduce((sum, each) => sum + each, 0);
}
