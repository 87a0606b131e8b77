import { GatewayError } from '../../core/errors.ts';
import type { DnsHost } from '../../core/names.ts';
import { run } from '../run.ts';
import { notNow, refused } from './refusal.ts';

export interface CommandOptions {
  /** Absolute path of a program. */
  readonly command: string;
  readonly credential: string | undefined;
}

/** sysexits.h: "temporary failure; the user is invited to retry". */
const EX_TEMPFAIL = 75;
const MAX_TOLD = 300;

/**
 * Any host of names that we do not know: a program of the owner's, run as the daemon's user. It gets one JSON object on
 * standard input, `{"sets":[{"name","type","ttlSeconds","values"}]}`, each set to be made exactly so, and the credential
 * (where one is configured) in the environment as GATEWAY_CREDENTIAL. Exit 0: done; 75: ask again later; else: no.
 */
export function command({ command: path, credential }: CommandOptions): DnsHost {
  return {
    types: ['A', 'AAAA', 'TXT'],
    replace: async (sets, signal) => {
      const ran = await run([path], {
        signal,
        input: `${JSON.stringify({ sets })}\n`,
        timeoutMs: 60_000,
        accept: Array.from({ length: 256 }, (_, code) => code),
        env: {
          PATH: process.env['PATH'],
          ...(credential === undefined ? {} : { GATEWAY_CREDENTIAL: credential }),
        },
      }).catch((error: unknown) => {
        if (error instanceof GatewayError && error.code === 'CommandMissing') {
          throw refused(path, 'there is no such program', 'look at the path of `command` in gateway.yaml');
        }
        throw error;
      });
      if (ran.exitCode === 0) return;
      const said = withoutCredential(ran.stderr.trim() || ran.stdout.trim(), credential).slice(0, MAX_TOLD);
      const told = `it ended with ${ran.exitCode}${said === '' ? '' : `: ${said}`}`;
      if (ran.exitCode === EX_TEMPFAIL) throw notNow(path, told);
      throw refused(path, told, 'mend what it says, then: gateway up');
    },
  };
}

function withoutCredential(text: string, credential: string | undefined): string {
  return credential === undefined || credential === '' ? text : text.replaceAll(credential, '[redacted]');
}
