import type { Mode, NatReport } from '../../src/doctor/types.ts';
import { startLab } from '../../src/lab/index.ts';
import { chainTopology, NatLab, natsIn, type Chain } from '../support/nat-chains.ts';
import { askRivals, type Rivals } from './rivals.ts';
import type { Row } from './rows.ts';

export interface Examined extends Row {
  readonly truth: number;
  readonly report: NatReport;
  readonly seconds: number;
  /** What other tools say. */
  readonly rivals?: Rivals | undefined;
}

export interface ExamineOptions {
  readonly mode: Mode;
  /** Left out: what the mode says. */
  readonly windowSeconds?: number;
  /** Also asks other tools, of which some lie there. */
  readonly rivals?: string | undefined;
  readonly signal: AbortSignal;
}

/** All at once, in one lab: the window of one is the window of all. */
export async function examineTogether(
  rows: readonly Row[],
  { mode, windowSeconds, rivals: folder, signal }: ExamineOptions,
): Promise<Examined[]> {
  const chains = rows.map(({ chain }) => chain);
  await using lab = await startLab(chainTopology(chains), { signal });
  const homes = await NatLab.start(lab, chains, signal);
  return await Promise.all(
    rows.map(async (row, number) => {
      const window = windowSeconds === undefined ? {} : { windowSeconds };
      const { isWithoutRelay = false } = row;
      const { report, seconds } = await homes.look(number, { mode, ...window, isWithoutRelay, signal });
      const rivals =
        folder === undefined ? undefined : await askRivals(lab, `home-${number}`, folder, signal);
      return { ...row, truth: natsIn(row.chain), report, seconds, rivals };
    }),
  );
}

/** Wrong: an exact count that is none, or a range without the truth. */
export function isWrong({ truth, report: { count } }: Examined): boolean {
  return truth < count.min || truth > (count.max ?? Infinity) || (count.exact && count.min !== truth);
}

/** `2`, or `1–3, probably 2 (unproved)`. */
export function verdictOf({ count }: NatReport): string {
  const { min, max, exact, likely, doubts } = count;
  if (exact) return String(min);
  const range = max === null ? `${min} or more` : min === max ? String(min) : `${min}–${max}`;
  return `${range}, probably ${likely} (${doubts.join(', ')})`;
}

/** `N` NAT, `-` plain, `F` firewall; then what it speaks (UPnP, NAT-PMP, PCP; `P`: to everybody), and `@` how long it remembers. */
export function drawn(chain: Chain): string {
  const letters = { nat: 'N', plain: '-', firewall: 'F' } as const;
  const short = { upnp: 'u', 'nat-pmp': 'n', pcp: 'p' } as const;
  const words = chain.map((router) => {
    const { kind, speaks = [], answersAll, timer, hasPool, inside = 'home', behaviour, odd } = router;
    const spoken = speaks.map((protocol) => short[protocol]).join('') + (answersAll === true ? 'P' : '');
    const marks = [
      ...(odd === undefined ? [] : ['odd']),
      ...(hasPool === true ? ['pool'] : []),
      ...(inside === 'home' || kind !== 'nat' ? [] : [inside]),
      ...(behaviour === undefined || behaviour === 'endpoint-independent' ? [] : [behaviour]),
    ];
    const more = marks.length > 0 ? `(${marks.join(' ')})` : '';
    return `${letters[kind]}${spoken}${timer === undefined ? '' : `@${timer}`}${more}`;
  });
  return words.length === 0 ? 'none' : words.join(' ');
}
