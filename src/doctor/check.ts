import type { FindingCode } from './findings.ts';
import type { MessageKey, Text, Values } from './messages/message.ts';
import type { Answer, Mode, NatReport, ReportedFinding, Severity } from './types.ts';
import type { World } from './world.ts';

/**
 * One question about this machine and its network: a small file in src/doctor/checks. It finds out as much as it can while
 * everything around it is broken, and says that it does not know rather than no.
 */
export interface Check {
  /** As typed: `gateway doctor clock`. */
  readonly name: string;
  readonly title: MessageKey;
  /** What it cannot do without; without it, it is skipped. */
  readonly needs: readonly Need[];
  /** It takes long, or is noticed outside: not among those that run when none is named. */
  readonly isOnlyByName?: true;
  /** It is given up then, and unknown. */
  readonly deadlineMs: number;
  run(context: CheckContext): Promise<Checked>;
}

/**
 *   outside  it asks machines that belong neither to this home nor to its owner
 *   gateway  a gateway that runs here, and that this user may ask
 */
export type Need = 'outside' | 'gateway';

export interface CheckContext {
  readonly world: World;
  readonly mode: Mode;
  /** Ask no third party. */
  readonly isOffline: boolean;
  readonly signal: AbortSignal;
  /** Keeps what was seen for the report; answers its id, for a finding's `because`. */
  readonly see: (word: string, method: string, raw: unknown) => string;
}

/** What a check found; its state is that of its worst finding, and `unknown` or `ok` when it has none. */
export interface Checked {
  /** One line for people: 'answers in 12 ms'. */
  readonly text: Text;
  readonly isUnknown?: true;
  readonly findings?: readonly Finding[];
  readonly nat?: NatReport;
  readonly reachable?: Readonly<Partial<Record<WayName, Answer>>>;
}

/** Ways in, as a verdict names them. */
export type WayName = 'clearnet' | 'wireguard' | 'onion' | 'relay';

export interface Finding {
  readonly code: FindingCode;
  /** Where it is not what the catalogue says of all of this code. */
  readonly severity?: Severity;
  /** Fill its title and `seen`. */
  readonly values: Values;
  readonly because: readonly string[];
  readonly fix: readonly Step[];
}

/** One step of a fix; `command` is to be typed as it stands. */
export interface Step {
  readonly text: Text;
  readonly command?: string;
  readonly who: ReportedFinding['fix'][number]['who'];
}
