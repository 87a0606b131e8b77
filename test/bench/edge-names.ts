import { writeFile } from 'node:fs/promises';
import type { EdgeSite } from '../../src/core/operations.ts';
import { selfSigned, startWebLab, type WebLab } from '../support/web-lab.ts';
import { secondsOf, type Figure } from './figure.ts';

const NAMES = 1000;
const SHOP: EdgeSite = {
  service: 'shop',
  domain: 'shop.test',
  mode: 'http',
  access: 'anyone',
  to: { host: '10.64.1.2', port: 8080 },
};

/**
 * A thousand names, each with a certificate of its own: what one more costs, from the daemon's first word to the helper to
 * a visitor's answer, and a look, and the memory.
 */
export async function benchEdgeNames(signal: AbortSignal): Promise<Figure[]> {
  const lab = await startWebLab();
  try {
    await lab.addService('shop', SHOP.to.host, SHOP.to.port);
    await lab.serve('shop', SHOP.to.port);
    await lab.up([{ ...SHOP, domain: 'shop0.test' }]);
    const sites = Array.from({ length: NAMES }, (_, index) => ({ ...SHOP, domain: `shop${index}.test` }));
    const { pem } = await selfSigned(['shop.test']);
    // As if each had been given by itself; the certificate may be the same.
    const file = (domain: string): string =>
      lab.machine.outside(`/run/gw-root/lib/edge/certificates/${domain}.pem`);
    await lab.gateway.helper.call('edge.stop', {}, signal);
    for (const { domain } of sites) await writeFile(file(domain), pem);
    const first = await secondsOf(() => lab.up(sites));
    const empty = await memoryOf(lab);
    const all = [...sites, SHOP];
    const { helper } = lab.gateway;
    const before = await pidsOf(lab);
    const told = await secondsOf(() => lab.up(all));
    const given = await secondsOf(() => helper.call('edge.certificate', { name: SHOP.domain, pem }, signal));
    const visited = await secondsOf(() => visit(lab));
    if ((await pidsOf(lab)).join() !== before.join()) throw new Error('HAProxy was reloaded');
    const look = await secondsOf(() => helper.call('edge.observe', {}, signal));
    const seconds = { unit: 's', goal: 'reported' };
    const second = { unit: 's', goal: 'well below 1' };
    return [
      { what: `${NAMES} names with certificates: checked and started with`, value: first, ...seconds },
      { what: `${NAMES} names: one more, to its answer`, value: told + given + visited, ...second },
      { what: `  told to HAProxy`, value: told, ...seconds },
      { what: `  its certificate`, value: given, ...seconds },
      { what: `  a visitor, who starts, and is answered`, value: visited, ...seconds },
      { what: `${NAMES} names: a look at what runs`, value: look, ...seconds },
      {
        what: `${NAMES} names: memory of HAProxy, its own alone`,
        value: empty,
        unit: 'MiB',
        goal: 'reported',
      },
    ];
  } finally {
    await lab.stop();
  }
}

async function visit(lab: WebLab): Promise<void> {
  const request = `GET / HTTP/1.1\r\nHost: ${SHOP.domain}\r\nConnection: close\r\n\r\n`;
  const { answer } = await lab.visit({ sni: SHOP.domain, send: [request] });
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`the new name was not answered: ${answer}`);
}

/** Without those that ended: nobody in the machine collects them. */
async function pidsOf({ machine }: WebLab): Promise<string[]> {
  const processes = (await machine.sh('ps', '-C', 'haproxy', '-o', 'stat=,pid=')).split('\n');
  return processes.flatMap((line) => /^[^Z]\S* +(\d+)/.exec(line)?.[1] ?? []);
}

/** Of all its processes: what each has for itself, and its part of what they share. */
async function memoryOf(lab: WebLab): Promise<number> {
  const { machine } = lab;
  const pids = await pidsOf(lab);
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const rollup = await machine.sh('cat', `/proc/${pid}/smaps_rollup`);
      return Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
