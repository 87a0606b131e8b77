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

/** A thousand names, each with a certificate of its own: what one more costs, and a look, and the memory. */
export async function benchEdgeNames(signal: AbortSignal): Promise<Figure[]> {
  const lab = await startWebLab();
  try {
    await lab.addService('shop', SHOP.to.host, SHOP.to.port);
    await lab.up([SHOP]);
    const sites = Array.from({ length: NAMES }, (_, index) => ({ ...SHOP, domain: `shop${index}.test` }));
    const { pem } = await selfSigned(['shop.test']);
    // As if each had been given by itself; the certificate may be the same.
    const file = (domain: string): string =>
      lab.machine.outside(`/run/gw-root/lib/edge/certificates/${domain}.pem`);
    for (const { domain } of sites) await writeFile(file(domain), pem);
    const first = await secondsOf(() => lab.up(sites));
    const empty = await memoryOf(lab);
    const all = [...sites, SHOP];
    const added = await secondsOf(() => lab.up(all));
    const { helper } = lab.gateway;
    const given = await secondsOf(() => helper.call('edge.certificate', { name: SHOP.domain, pem }, signal));
    const look = await secondsOf(() => helper.call('edge.observe', {}, signal));
    const seconds = { unit: 's', goal: 'reported' };
    return [
      { what: `${NAMES} names with certificates: all at once`, value: first, ...seconds },
      { what: `${NAMES} names: one more`, value: added, ...seconds },
      { what: `${NAMES} names: a certificate for one of them`, value: given, ...seconds },
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

/** Of all its processes: what each has for itself, and its part of what they share. */
async function memoryOf({ machine }: WebLab): Promise<number> {
  const pids = (await machine.sh('pgrep', '-x', 'haproxy')).split('\n');
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const rollup = await machine.sh('cat', `/proc/${pid}/smaps_rollup`);
      return Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
