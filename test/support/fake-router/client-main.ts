/**
 * A home that asks its router by our own driver, step by step, and prints what came of each. Runs on a host of a lab.
 * Arguments: address of the router, our own, and the steps as JSON.
 */
import { connect } from 'node:net';
import {
  MappingError,
  type Lease,
  type MappingDriver,
  type MappingRequest,
} from '../../../src/core/mapping.ts';
import { messageOf } from '../../../src/core/errors.ts';
import { UpnpDriver } from '../../../src/system/mapping/upnp.ts';
import { UpnpPinholeDriver } from '../../../src/system/mapping/upnp-pinhole.ts';
import type { Command } from './main.ts';

export type Step =
  | { readonly map: Partial<MappingRequest> }
  | 'unmap'
  | 'check'
  | 'list'
  | 'external'
  /** A driver that knows nothing yet, as after our own restart. */
  | 'forget'
  /** For a router that is told what to do. */
  | Command;

const [router = '', own = '', steps = '[]'] = process.argv.slice(2);
const makeDriver = (): MappingDriver =>
  router.includes(':') ? new UpnpPinholeDriver(router) : new UpnpDriver(router);
let driver = makeDriver();
let lease: Lease | undefined;

const REQUEST: MappingRequest = {
  transport: 'udp',
  internalAddress: own,
  internalPort: 51_820,
  externalPort: 51_820,
  lifetimeSeconds: 3600,
  description: 'Gateway lab',
  nonce: '0102030405060708090a0b0c',
};

async function take(step: Step): Promise<unknown> {
  const signal = AbortSignal.timeout(30_000);
  if (typeof step === 'object') {
    if (!('map' in step)) return await tell(step);
    lease = await driver.map({ ...REQUEST, ...step.map }, signal);
    return lease;
  }
  if (step === 'list') return await driver.list(signal);
  if (step === 'external') return await driver.externalAddress(signal);
  if (step === 'forget') return void (driver = makeDriver());
  if (lease === undefined) throw new Error('nothing is mapped');
  return step === 'unmap' ? await driver.unmap(lease, signal) : await driver.check(lease, signal);
}

function tell(command: Command): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(4999, router, () => socket.write(`${JSON.stringify(command)}\n`));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(JSON.parse(text)));
  });
}

const results: unknown[] = [];
for (const step of JSON.parse(steps) as Step[]) {
  const started = performance.now();
  try {
    results.push((await take(step)) ?? null);
  } catch (error) {
    const refusal = error instanceof MappingError ? error.refusal : undefined;
    const hint = error instanceof MappingError ? error.hint : undefined;
    const seconds = Math.round((performance.now() - started) / 1000);
    results.push({ error: messageOf(error), ...(hint === undefined ? {} : { hint }), refusal, seconds });
  }
}
process.stdout.write(JSON.stringify(results));
