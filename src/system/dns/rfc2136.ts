import { createHmac, randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { GatewayError } from '../../core/errors.ts';
import type { TsigAlgorithm } from '../../core/dns-config.ts';
import type { DnsHost } from '../../core/names.ts';
import { decodeAnswer, encodeUpdate, type TsigKey } from '../../wire/dns-update.ts';
import { notNow, refused } from './refusal.ts';

export interface Rfc2136Options {
  /** The zone's primary server. */
  readonly server: { readonly host: string; readonly port: number };
  readonly zone: string;
  readonly key: { readonly name: string; readonly algorithm: TsigAlgorithm; readonly secret: Uint8Array };
}

const TIMEOUT_MS = 10_000;
/** Our answers are a header, a zone and a signature. */
const MAX_ANSWER_BYTES = 4096;
/** Asking again would be answered alike; everything else (SERVFAIL) may pass. */
const FINAL = ['FORMERR', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'NOTAUTH', 'NOTZONE', 'BADSIG', 'BADKEY'];

/** Over TCP: an update is answered once, and nothing is sent twice. */
export function rfc2136({ server, zone, key }: Rfc2136Options): DnsHost {
  const hash = key.algorithm.replace('hmac-', '');
  const tsig: TsigKey = {
    name: key.name,
    algorithm: key.algorithm,
    mac: (data) => createHmac(hash, key.secret).update(data).digest(),
  };
  const host = `${server.host}:${server.port}`;
  return {
    types: ['A', 'AAAA', 'TXT'],
    replace: async (sets, signal) => {
      const id = randomInt(65_536);
      const update = encodeUpdate({ id, zone, sets }, tsig, Math.floor(Date.now() / 1000));
      const answer = decodeAnswer(await exchange(server, update.message, signal), update, tsig);
      if (answer === undefined) throw notNow(host, 'an answer that belongs to no question of ours');
      if (answer.code === 'BADTIME')
        throw refused(host, 'BADTIME', 'set the clock of this machine (timedatectl)');
      if (FINAL.includes(answer.code)) {
        const hint = `look at the key ${key.name} and what it may change in ${zone} on ${server.host}`;
        throw refused(host, answer.code, hint);
      }
      if (answer.code !== 'NOERROR') throw notNow(host, answer.code);
      if (!answer.isAuthentic) throw notNow(host, 'a yes that is not signed with our key');
    },
  };
}

/** One message there, one back, each after its length (RFC 1035 4.2.2). */
function exchange(
  { host, port }: Rfc2136Options['server'],
  message: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const both = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const socket = connect({ host, port, signal: both });
    let received = Buffer.alloc(0);
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      const told = signal.aborted
        ? new GatewayError(`asking ${host} was cancelled`, { code: 'Aborted', retry: 'never' })
        : new GatewayError(`${host}:${port} could not be asked: ${why}`, { code: 'Unreachable', cause });
      reject(told);
    };
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      socket.write(Buffer.concat([length, message]));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? undefined : received.readUInt16BE();
      if (length !== undefined && length > MAX_ANSWER_BYTES) return fail('its answer is too long');
      if (length === undefined || received.length < length + 2) return;
      socket.destroy();
      resolve(received.subarray(2, length + 2));
    });
    socket.on('error', (error) =>
      fail(both.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : error.message, error),
    );
    socket.on('end', () => fail('it hung up without an answer'));
  });
}
