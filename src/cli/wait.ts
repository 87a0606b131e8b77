import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../core/errors.ts';
import type { DeviceStatus, Status } from '../core/status.ts';
import type { Client } from './client.ts';
import type { Context } from './command.ts';

const POLL_MS = 500;
const ONION_WAIT_MS = 120_000;

/** Asks again and again until `pick` finds something; `undefined` after `waitMs` or when interrupted. */
export async function waitFor<T>(
  client: Client,
  { signal }: Context,
  waitMs: number,
  pick: (status: Status) => T | undefined,
): Promise<T | undefined> {
  const until = Date.now() + waitMs;
  try {
    for (;;) {
      const found = pick(await client.get<Status>('/v1/status', signal));
      if (found !== undefined || Date.now() >= until) return found;
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    if (signal.aborted && (!(error instanceof GatewayError) || error.code === 'Aborted')) return undefined;
    throw error;
  }
}

/** Says the onion address of a service as soon as there is one, and whether visitors can find it already. */
export async function tellOnion(
  service: string,
  client: Client,
  context: Context,
  isPatient: boolean,
): Promise<void> {
  const { terminal, progress } = context;
  const address = await waitFor(client, context, 10_000, (status) => wayOf(status, service)?.addresses[0]);
  if (address === undefined) return;
  terminal.print(`\nOnion address: ${address.url}`);
  const isLocked = address.clientNeeds.length > 1;
  if (isLocked) {
    terminal.print(`Visitors need ${address.clientNeeds.join(', and ')}.`);
    terminal.print(`next: gateway device add NAME --service ${service}`);
  }
  if (!isPatient) return;
  progress('waiting until Tor has published the address (Ctrl-C ends the waiting only)');
  const published = await waitFor(client, context, ONION_WAIT_MS, (status) =>
    wayOf(status, service)?.conditions.some(
      ({ type, status: is }) => type === 'Published' && is === 'yes',
    ) === true
      ? true
      : undefined,
  );
  terminal.print(
    published === true
      ? `It is published: ${isLocked ? 'devices with a key' : 'visitors with Tor'} can find it.`
      : 'It is not published yet; see gateway status.',
  );
}

function wayOf(status: Status, service: string) {
  return status.services
    .find(({ name }) => name === service)
    ?.ways.find(({ provider }) => provider === 'tor');
}

/** Resolves with the device once it has shaken hands after `since`. */
export function awaitHandshake(
  device: string,
  since: number,
  waitMs: number,
  client: Client,
  context: Context,
): Promise<DeviceStatus | undefined> {
  return waitFor(client, context, waitMs, (status) =>
    status.devices.find(
      ({ name, latestHandshake }) =>
        name === device && latestHandshake !== null && Date.parse(latestHandshake) >= since,
    ),
  );
}
