import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import type { CompileInput, Context, Resource, Want } from '../../src/core/contract.ts';
import { plan } from '../../src/core/plan.ts';
import type { Place, Service } from '../../src/core/service.ts';
import { edgePart } from '../../src/parts/edge/index.ts';
import { namespacesPart } from '../../src/parts/namespaces/index.ts';
import { type Gateway, startGateway } from '../support/gateway-machine.ts';
import { type Machine, startMachine } from '../support/machine.ts';
import { serve } from '../support/traffic.ts';

const NETWORK = networkFor('gw', '10.64.0.0/20');
const PHONE = { interface: 'gwwg0', address: '10.64.8.2' };

function service(name: string, address: string, port: number, place: Place): Service {
  return { name, kind: 'tcp', privacy: 'open', port, place, address, dial: { host: address, port } };
}
const PRINTER = service('printer', '10.64.1.4', 631, { type: 'target', host: '192.168.1.20' });
const CAMERA = service('camera', '10.64.1.5', 443, { type: 'target', host: 'fd00::20' });
const NAS = service('nas', '10.64.1.3', 8080, { type: 'host' });
const SERVICES = [PRINTER, CAMERA, NAS];

const wantsOf = (...services: Service[]): Want[] =>
  services.flatMap(({ name }): Want[] => [
    { part: 'namespaces', from: PHONE, service: name },
    { part: 'edge', type: 'route', service: name },
  ]);

function input(wants: readonly Want[], services: readonly Service[] = SERVICES): CompileInput {
  return { network: NETWORK, services, exposures: [], devices: [], wants, ledger: {}, settings: undefined };
}

describe('compile', () => {
  const compile = (wants: readonly Want[], services?: readonly Service[]) =>
    edgePart.compile(input(wants, services));

  it('needs nothing while nobody asks', () => {
    expect(compile([])).toEqual({ resources: [], wants: [], problems: [], ledger: {} });
  });

  it('is one process for all that was asked for, once, whatever the order', () => {
    const there = compile([...wantsOf(PRINTER, CAMERA), ...wantsOf(PRINTER)]);
    const back = compile(wantsOf(CAMERA, PRINTER), SERVICES.toReversed());
    expect(back).toEqual(there);
    expect(there.resources).toEqual([
      {
        key: 'edge:haproxy',
        spec: {
          type: 'edge',
          devices: '10.64.8.0/21',
          source: '10.64.0.2',
          pool: '10.64.0.0/20',
          sites: [],
          routes: [
            { service: 'camera', address: '10.64.1.5', port: 443, to: { host: 'fd00::20', port: 443 } },
            { service: 'printer', address: '10.64.1.4', port: 631, to: { host: '192.168.1.20', port: 631 } },
          ],
        },
        neededBy: ['camera', 'printer'],
      },
      { key: 'route:camera', spec: { type: 'route', service: 'camera' }, neededBy: ['camera'] },
      { key: 'route:printer', spec: { type: 'route', service: 'printer' }, neededBy: ['printer'] },
    ]);
  });

  it('leaves to others what is reached without it', () => {
    expect(compile(wantsOf(NAS)).resources).toEqual([]);
    expect(compile([{ part: 'edge', type: 'route', service: 'ghost' }]).resources).toEqual([]);
  });

  it('is one site for each name, of the first service that asks for it, and stays when the last name goes', () => {
    const site = (of: Service, access: 'anyone' | 'devices' = 'anyone'): Want => {
      const common = {
        part: 'edge',
        type: 'site',
        service: of.name,
        domain: 'pay.test',
        via: 'clearnet',
      } as const;
      return { ...common, access, mode: 'http', listen: { https: 443, http: 80 } };
    };
    const { resources, problems, ledger } = compile([site(PRINTER), site(NAS), site(NAS, 'devices')]);
    expect(resources).toMatchObject([
      {
        key: 'edge:haproxy',
        spec: {
          listen: { https: 443, http: 80 },
          routes: [],
          sites: [{ service: 'nas', domain: 'pay.test', access: 'devices', to: NAS.dial }],
        },
        neededBy: ['nas'],
      },
    ]);
    expect(problems).toMatchObject([{ code: 'DomainTaken', service: 'printer' }]);
    const after = edgePart.compile({ ...input([]), ledger });
    expect(after.resources).toMatchObject([{ key: 'edge:haproxy', spec: { sites: [] } }]);
    expect(edgePart.compile({ ...input([], [PRINTER]), ledger }).resources).toEqual([]);
  });

  it('lets a device in by its certificate at the sites for devices that it was given, and at no others', () => {
    const site = (of: Service, access: 'anyone' | 'devices'): Want => {
      const domain = `${of.name}.test`;
      const common = { part: 'edge', type: 'site', service: of.name, domain, via: 'clearnet' } as const;
      return { ...common, access, mode: 'http' };
    };
    const certificate = 'a'.repeat(64);
    const device = (name: string, services: string[], more = {}) => ({
      name,
      services,
      addedAt: '',
      ...more,
    });
    const devices = [
      device('tablet', ['camera'], { certificate }),
      device('phone', ['printer', 'nas', 'camera'], { certificate }),
      device('laptop', ['nas']),
    ];
    const wants = [site(NAS, 'devices'), site(PRINTER, 'devices'), site(CAMERA, 'anyone')];
    const { resources, ledger } = edgePart.compile({
      ...input(wants),
      devices,
      ledger: { authority: 'PEM' },
    });
    expect(resources).toMatchObject([
      { key: 'edge:haproxy', spec: { authority: 'PEM' } },
      {
        key: 'client:phone',
        spec: { type: 'client', name: 'phone', fingerprint: certificate, services: ['nas', 'printer'] },
        neededBy: ['nas', 'printer'],
        label: 'phone',
      },
    ]);
    // For good: those who hold a certificate would hold one of nobody.
    expect(edgePart.compile({ ...input([]), ledger }).ledger).toMatchObject({ authority: 'PEM' });
    const open = edgePart.compile({ ...input([site(CAMERA, 'anyone')]), devices, ledger });
    expect(open.resources).toHaveLength(1);
    expect(open.resources[0]?.spec).not.toHaveProperty('authority');
  });

  it('sees requests of onion services, each of its own tor process, and stays when the last one goes', () => {
    const onion = (of: Service, instance: 'tor' | 'tor-only'): Want => {
      return { part: 'edge', type: 'onion', service: of.name, instance };
    };
    const { resources, ledger } = compile([onion(PRINTER, 'tor'), onion(NAS, 'tor-only')]);
    const onions = [
      { service: 'nas', instance: 'tor-only', to: NAS.dial },
      { service: 'printer', instance: 'tor', to: PRINTER.dial },
    ];
    expect(resources).toMatchObject([{ key: 'edge:haproxy', spec: { sites: [], routes: [], onions } }]);
    expect(resources).toHaveLength(1);
    const after = edgePart.compile({ ...input([]), ledger });
    expect(after.resources).toMatchObject([{ key: 'edge:haproxy', neededBy: ['nas', 'printer'] }]);
    expect(JSON.stringify(after.resources)).not.toContain('onions');
  });

  it('gives a service of another machine its address on the host only while a device needs it', () => {
    const keys = (wants: readonly Want[]) =>
      namespacesPart.compile(input(wants, [PRINTER])).resources.map(({ key }) => key);
    expect(keys([])).toEqual(['hub:hub']);
    expect(keys([{ part: 'namespaces', from: 'tor', service: 'printer' }])).toEqual(['hub:hub']);
    expect(keys(wantsOf(PRINTER))).toEqual(['hub:hub', 'hostService:printer', 'flows:hub']);
  });

  it.each([
    { part: namespacesPart, kept: 'hostService:printer' },
    { part: edgePart, kept: 'edge:haproxy' },
  ])('keeps $kept when no device needs it any more, until the service is removed', ({ part, kept }) => {
    const { ledger } = part.compile(input(wantsOf(PRINTER), [PRINTER]));
    const after = part.compile({ ...input([], [PRINTER]), ledger });
    expect(after.resources.map(({ key }) => key)).toContain(kept);
    expect(after.ledger).toEqual(ledger);
    expect(part.compile({ ...input([], [NAS]), ledger }).ledger).toEqual({});
  });
});

describe('with a real helper', () => {
  let machine: Machine;
  let gateway: Gateway;
  let context: Context;

  beforeAll(async () => {
    machine = await startMachine();
    gateway = await startGateway(machine);
    // The parts use nothing of the ports but the helper.
    const ports = { helper: gateway.helper } as unknown as Context['ports'];
    context = { signal: AbortSignal.timeout(60_000), network: NETWORK, ports };
    const applied = SERVICES.map(({ name, address, port, place }) => [name, { address, port, place }]);
    await gateway.apply({
      services: Object.fromEntries(applied) as Record<string, never>,
      devices: [{ publicKey: 'unused', address: PHONE.address, services: SERVICES.map(({ name }) => name) }],
    });
  });
  afterAll(async () => {
    gateway.helper.close();
    await machine.stop();
  });

  const PARTS = [namespacesPart, edgePart];

  /** Users before foundations when things leave, foundations first when they come: as the engine does. */
  async function up(...services: Service[]): Promise<string[]> {
    const compiled = input(wantsOf(...services));
    const leaving = services.length === 0;
    const sentences: string[] = [];
    for (const part of leaving ? PARTS.toReversed() : PARTS) {
      const wanted = leaving ? [] : part.compile(compiled).resources;
      for (const change of await changesOf(part, wanted)) {
        await part.apply(change as never, context);
        if (part === edgePart) sentences.push(part.describe(change as never));
      }
      expect(await changesOf(part, wanted)).toEqual([]);
    }
    return sentences;
  }

  async function changesOf(part: (typeof PARTS)[number], wanted: readonly Resource[]) {
    return plan(wanted, await part.observe(context), part.kinds);
  }

  it('says what it does, does it, and then has nothing left to do', async () => {
    expect(await up(PRINTER)).toEqual([
      'have HAProxy carry connections of devices on to printer (10.64.1.4:631 to 192.168.1.20:631)',
      'let devices in to printer at the edge',
    ]);
    expect(await up(PRINTER)).toEqual([]);
    expect(await up(CAMERA, PRINTER)).toEqual([
      'have HAProxy carry connections of devices on to camera (10.64.1.5:443 to fd00::20:443), printer (10.64.1.4:631 to 192.168.1.20:631)',
      'let devices in to camera at the edge',
    ]);
    const listening = await machine.sh('ss', '-Hltn');
    expect(listening).toContain('10.64.1.4:631');
    expect(listening).toContain('10.64.1.5:443');
  });

  it('starts it again, and says why', async () => {
    await machine.sh('pkill', '-KILL', '-x', 'haproxy');
    const [seen] = await edgePart.observe(context);
    expect(seen).toMatchObject({ renew: 'HAProxy is not running', facts: { running: false } });
    expect(await up(CAMERA, PRINTER)).toHaveLength(1);
  });

  it('writes a configuration again that somebody changed', async () => {
    await machine.sh('sed', '-i', 's/192.168.1.20/192.168.1.66/', '/run/gw-root/lib/edge/haproxy.cfg');
    expect(await up(CAMERA, PRINTER)).toHaveLength(3);
    expect(await machine.sh('cat', '/run/gw-root/lib/edge/haproxy.cfg')).not.toContain('192.168.1.66');
  });

  it('ends it with the last service', async () => {
    const sentences = await up();
    expect(sentences.at(-1)).toBe('stop HAProxy: nobody needs it');
    expect(await edgePart.observe(context)).toEqual([]);
    expect(await machine.sh('ss', '-Hltn')).toBe('');
  });

  it('names the service whose port is taken, and who has it, and carries the others', async () => {
    await serve(machine, undefined, 'rival', CAMERA.port);
    await expect(up(CAMERA, PRINTER)).rejects.toMatchObject({
      code: 'PortInUse',
      message: expect.stringMatching(
        /^devices cannot reach camera: port 443 is taken on this machine by .* \(process \d+\)/,
      ),
    });
    expect(await machine.sh('ss', '-Hltn')).toContain('10.64.1.4:631');
    const renewals = (await edgePart.observe(context)).map(({ key, renew }) => [key, renew]);
    expect(renewals).toEqual([
      ['edge:haproxy', undefined],
      ['route:camera', expect.stringMatching(/^it was left out: port 443 is taken/)],
      ['route:printer', undefined],
    ]);
  });
});
