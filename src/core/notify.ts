import { z } from 'zod';
import type { CertificateReport } from './certificate.ts';
import { parseEndpoint } from './inet.ts';
import { canonical } from './plan.ts';

/** Who is told when something is wrong, and what. Pure. */

export const ALERT_KINDS = ['down', 'fallback', 'locked', 'certificate', 'relay', 'address'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

const FILE = z.string().regex(/^\/[^\0\n]{1,1000}$/, 'must be a whole path');
const PAGE = z.url({ protocol: /^https?$/ }).max(2000);
/** Nothing that could begin another line of a letter (RFC 5321 4.1.2). */
const LETTER_BOX = z
  .string()
  .max(254)
  .regex(/^[^\s<>@,;:"()[\]\\]{1,64}@[^\s<>@,;:"()[\]\\]{1,189}$/, 'must be like me@example.net');

const Webhook = z.strictObject({
  by: z.literal('webhook'),
  url: PAGE.describe('Gets a POST with JSON.'),
  token: FILE.optional().describe('File with the token that is sent as `Authorization: Bearer`.'),
  roots: FILE.optional().describe(
    'File with the roots that its certificate is trusted by; default: the public ones.',
  ),
});
const Ntfy = Webhook.extend({
  by: z.literal('ntfy'),
  url: PAGE.describe('Topic at an ntfy server, such as https://ntfy.example.net/my-topic.'),
});
const Mail = z
  .strictObject({
    by: z.literal('mail'),
    server: z
      .string()
      .max(270)
      .refine((text) => parseEndpoint(text) !== undefined, {
        error: 'must be host:port, like smtp.example.net:465',
      })
      .describe(
        'Submission server, host:port. Port 465 begins with TLS, every other one is asked for it (STARTTLS).',
      ),
    from: LETTER_BOX,
    to: LETTER_BOX,
    user: z.string().min(1).max(200).optional(),
    password: FILE.optional().describe('File with the password.'),
    roots: FILE.optional().describe(
      'File with the roots that its certificate is trusted by; default: the public ones.',
    ),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), {
    error: 'needs both user and password, or neither',
  });
const Program = z.strictObject({
  by: z.literal('command'),
  path: FILE.describe('Program that gets JSON on standard input.'),
});
export const Receiver = z.discriminatedUnion('by', [Webhook, Ntfy, Mail, Program]);
export type Receiver = z.infer<typeof Receiver>;

export const NotifySettings = z.strictObject({
  to: z.array(Receiver).max(16).default([]).describe('Who is told: docs/notifications.md.'),
  about: z
    .array(z.enum(ALERT_KINDS))
    .default([...ALERT_KINDS])
    .describe('What is told; default: everything.'),
  names: z
    .boolean()
    .default(false)
    .describe(
      'Say names and addresses of this home and its onions, which whoever carries the message reads.',
    ),
  whenHomeDies: z
    .boolean()
    .default(false)
    .describe(
      'Relays tell webhooks and ntfy when they hear nothing of this home for three minutes; each learns their addresses then.',
    ),
  alive: PAGE.optional().describe(
    'Address that is asked for every five minutes while the gateway runs: a service outside that tells you when it is not.',
  ),
});
export type NotifySettings = z.infer<typeof NotifySettings>;

/** Under which is kept what it was told; may hold a secret topic. */
export function receiverName(receiver: Receiver): string {
  const { by } = receiver;
  return `${by} ${by === 'mail' ? receiver.to : by === 'command' ? receiver.path : receiver.url}`;
}

/** Something that is so now. */
export interface Alert {
  readonly kind: AlertKind;
  /** The same for as long as it is the same trouble. */
  readonly key: string;
  readonly text: string;
  /** It is no trouble, only told when this changes: the public address. */
  readonly fact?: string;
}

export interface Situation {
  readonly services: readonly {
    readonly name: string;
    readonly isDark: boolean;
    /** Neither dark nor open: nobody knows, as after a start. */
    readonly isOpen: boolean;
    readonly isFallback: boolean;
    readonly way: string;
    readonly why: string;
  }[];
  readonly certificates: readonly Pick<
    CertificateReport,
    'name' | 'state' | 'notBefore' | 'notAfter' | 'problem'
  >[];
  /** Names of Lightning nodes that wait for the password of their wallet. */
  readonly locked: readonly string[];
  /** Names of those that do not answer. */
  readonly lostRelays: readonly string[];
  /** Names of nodes and relays of which nobody knows it yet. */
  readonly unasked: readonly string[];
  readonly address: string | undefined;
  /** Phones that have a tunnel go on sending to the address before: their apps look it up once. */
  readonly hasTunnels: boolean;
}

/** All that is wrong now. `names`: with names and addresses of the home. */
export function alertsOf(
  { services, certificates, locked, lostRelays, address, hasTunnels }: Situation,
  { about, names }: Pick<NotifySettings, 'about' | 'names'>,
  nowMs: number,
): Alert[] {
  const because = (why: string): string => (names ? `: ${why}` : '');
  const alerts: Alert[] = [
    ...services.flatMap(({ name, isDark, isFallback, way, why }): Alert[] => {
      if (isDark) return [{ kind: 'down', key: `down ${name}`, text: `${name} is down: no way in works` }];
      if (!isFallback) return [];
      return [
        { kind: 'fallback', key: `fallback ${name}`, text: `${name}: ${way} took over${because(why)}` },
      ];
    }),
    ...locked.map((name): Alert => {
      return { kind: 'locked', key: `locked ${name}`, text: `${name} waits for the password of its wallet` };
    }),
    ...certificates.flatMap((one): Alert[] => {
      const risk = riskOf(one, nowMs);
      if (risk === undefined) return [];
      const whose = names ? `the certificate for ${one.name}` : 'a certificate';
      return [{ kind: 'certificate', key: `certificate ${one.name}`, text: `${whose} ${risk}` }];
    }),
    ...lostRelays.map((name): Alert => ({
      kind: 'relay',
      key: `relay ${name}`,
      text: `the relay ${name} does not answer`,
    })),
    ...(address === undefined ? [] : [addressAlert(address, names, hasTunnels)]),
  ];
  return alerts.filter(({ kind }) => about.includes(kind));
}

/** Keys of what may have ended, and may not: that nobody knows is no news. */
export function undecidedIn({ services, unasked }: Situation): ReadonlySet<string> {
  const dim = services.filter(({ isDark, isOpen }) => !isDark && !isOpen).map(({ name }) => `down ${name}`);
  return new Set([...dim, ...unasked.flatMap((name) => [`relay ${name}`, `locked ${name}`])]);
}

const FACT = 'address';

function addressAlert(address: string, names: boolean, hasTunnels: boolean): Alert {
  const what = names ? `this home is at ${address} now` : 'this home has another public address';
  const text = hasTunnels ? `${what}; on phones, switch the tunnel off and on` : what;
  return { kind: 'address', key: FACT, text, fact: address };
}

/** One that should have been renewed at a third of its life (certificate-life.ts) is in trouble at a fifth. */
const AT_RISK = 1 / 5;

function riskOf(
  { state, notBefore, notAfter, problem }: Situation['certificates'][number],
  nowMs: number,
): string | undefined {
  if (state === 'failing') return 'could not be had';
  if (problem === null || notBefore === null || notAfter === null) return undefined;
  const [from, until] = [Date.parse(notBefore), Date.parse(notAfter)];
  if (until - nowMs > (until - from) * AT_RISK) return undefined;
  return `ends at ${notAfter.slice(0, 16).replace('T', ' ')} UTC and could not be renewed`;
}

/** What a receiver was told is so: text by key, and of a fact its value. */
export type Told = Readonly<Record<string, string>>;

/** What cannot be read is told again. */
export function readTold(text: string | undefined): Told {
  try {
    return z.record(z.string(), z.string()).safeParse(JSON.parse(text ?? '{}')).data ?? {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

export interface NoticeLine {
  readonly state: 'begins' | 'changes' | 'ends';
  readonly kind: AlertKind;
  readonly text: string;
}

export interface Notice {
  readonly lines: readonly NoticeLine[];
  /** What the receiver knows once it took this; without lines there is nothing to tell. */
  readonly told: Told;
}

/**
 * What a receiver does not know yet; `undefined`: nothing. Level, not edge: what came and went in between is not told.
 *
 *   was told | is so now    | fact | line
 *   ---------+--------------+------+---------------------------------
 *   no       | yes          | no   | begins
 *   no       | yes          | yes  | none: it is only remembered
 *   yes      | another text | both | changes
 *   yes      | no           | no   | ends, with the text that was told
 *   yes      | undecided    | no   | none: it stays as it was told
 *   yes      | no           | yes  | none: nobody knows it just now
 */
export function noticeOf(
  told: Told,
  alerts: readonly Alert[],
  undecided: ReadonlySet<string>,
): Notice | undefined {
  const lines = alerts.flatMap(({ kind, key, text, fact }): NoticeLine[] => {
    const known = told[key];
    if (known === (fact ?? text) || (known === undefined && fact !== undefined)) return [];
    return [{ state: known === undefined ? 'begins' : 'changes', kind, text }];
  });
  const gone = Object.entries(told).filter(([key]) => !alerts.some((alert) => alert.key === key));
  const ended = gone.flatMap(([key, text]): NoticeLine[] => {
    if (undecided.has(key)) return [];
    const kind = ALERT_KINDS.find((each) => key.startsWith(`${each} `));
    return kind === undefined ? [] : [{ state: 'ends', kind, text }];
  });
  const kept = gone.filter(([key]) => key === FACT || undecided.has(key));
  const next = Object.fromEntries([...kept, ...alerts.map(({ key, text, fact }) => [key, fact ?? text])]);
  const isSame = canonical(next) === canonical(told);
  return isSame ? undefined : { lines: [...lines, ...ended], told: next };
}

/** How one receiver took a test. */
export const NoticeTested = z.object({
  receiver: z.string(),
  /** `null`: it took the message. */
  trouble: z.string().nullable(),
});
export type NoticeTested = z.infer<typeof NoticeTested>;

const WORDS = { begins: '', changes: '', ends: 'over: ' } as const;

export function titleOf({ lines }: Notice): string {
  const [first] = lines;
  if (lines.length !== 1 || first === undefined) return `Gateway: ${lines.length} changes`;
  return `Gateway: ${sentenceOf(first)}`;
}

export function sentenceOf({ state, text }: NoticeLine): string {
  return `${WORDS[state]}${text}`;
}

/** Something came up or grew worse, as against: it is over. */
export function isTrouble({ lines }: Notice): boolean {
  return lines.some(({ state }) => state !== 'ends');
}
