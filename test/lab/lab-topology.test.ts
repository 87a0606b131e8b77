import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadTopology, parseTopology } from '../../src/lab/index.ts';
import { TOPOLOGIES } from '../../src/lab/topologies/index.ts';

const lan = { lan: { home: '192.168.50.10/24', router: '192.168.50.1/24' } };

it.each([
  ['an unknown field', { nodes: { home: { colour: 'red' } }, networks: {} }, /nodes\.home: .*colour/],
  [
    'a bad address',
    { nodes: { home: {} }, networks: { lan: { home: '192.168.50.10' } } },
    /networks\.lan\.home/,
  ],
  [
    'a node that is not there',
    { nodes: { home: {} }, networks: lan },
    /networks\.lan\.router: there is no node named router/,
  ],
  [
    'an address that is taken',
    { nodes: { home: {}, other: {} }, networks: { lan: { home: '10.0.0.1/24', other: '10.0.0.1/24' } } },
    /networks\.lan\.other: 10\.0\.0\.1\/24 is taken by home/,
  ],
  [
    'a NAT with its outside nowhere',
    { nodes: { home: {}, router: { kind: 'router', nat: { outside: 'wan' } } }, networks: lan },
    /nodes\.router\.nat\.outside: router is not in a network named wan/,
  ],
  [
    'a default route that is out of reach',
    { nodes: { home: { defaultRoute: '10.9.9.9' }, router: {} }, networks: lan },
    /nodes\.home\.defaultRoute: 10\.9\.9\.9 is in none of the networks of home/,
  ],
  [
    'a forward without address',
    { nodes: { home: { forwards: [{ protocol: 'udp', port: 1, to: 'home' }] } }, networks: {} },
    /nodes\.home\.forwards\.0\.to: must be address:port/,
  ],
  [
    'a Tor network that is too small',
    { nodes: { home: { services: [{ type: 'tor' }] }, router: {} }, networks: lan },
    /needs 4 addresses/,
  ],
  [
    'a name that no interface can have',
    { nodes: {}, networks: { 'much-too-long-a-name': {} } },
    /3 to 13 characters/,
  ],
])('names the path of %s', (_what, topology, message) => {
  expect(() => parseTopology(topology, 'test')).toThrow(message);
});

it('says every mistake at once', () => {
  const twice = { nodes: { home: { kind: 'castle', defaultRoute: 'up' } }, networks: {} };
  expect(() => parseTopology(twice, 'test')).toThrow(
    /2 mistake\(s\):[^]*nodes\.home\.kind[^]*nodes\.home\.defaultRoute/,
  );
});

it.each(Object.keys(TOPOLOGIES))('accepts its own topology %s', async (name) => {
  expect((await loadTopology(name)).name).toBe(name);
});

it('reads YAML and JSON files, and says where else to look', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'topology-'));
  try {
    await writeFile(
      join(folder, 'mine.yaml'),
      'nodes: { home: {} }\nnetworks: { lan: { home: 10.1.0.2/24 } }\n',
    );
    await writeFile(join(folder, 'mine.json'), '{ "nodes": { "home": {} }, "networks": {} }');
    await writeFile(join(folder, 'broken.yaml'), 'nodes: [');
    const { name, topology } = await loadTopology(join(folder, 'mine.yaml'));
    expect(name).toBe('mine');
    expect(topology.networks['lan']).toEqual({ home: ['10.1.0.2/24'] });
    expect((await loadTopology(join(folder, 'mine.json'))).name).toBe('mine');
    await expect(loadTopology(join(folder, 'broken.yaml'))).rejects.toThrow(/neither YAML nor JSON/);
    await expect(loadTopology(join(folder, 'none.yaml'))).rejects.toMatchObject({
      hint: expect.stringContaining('demo'),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
