/**
 * Where the newest descriptors of an onion service are. An onion has two (of this and of the next period), each is given to
 * several directories (relays that keep it for visitors, rend-spec-v3 2.2), and tor says of each when it has confirmed.
 */
export interface DescriptorUploads {
  /** Confirmations that are waited for or were given, of all descriptors; 0 when nothing was seen of them. */
  readonly directories: number;
  readonly confirmed: number;
  /** Each descriptor that was seen is with one directory at least. */
  readonly isFindable: boolean;
  /** tor was made to announce it, and has not begun. */
  readonly isExpected: boolean;
  /** How long the oldest of what tor gave out is not confirmed; 0 when everything is. */
  readonly waitingMs: number;
  /** Everything was confirmed once since the last change: what is waited for only renews it. */
  readonly wasComplete: boolean;
  /** What a directory said that did not take it: 'UPLOAD_REJECTED'. */
  readonly refusal: string | undefined;
  /** Somebody got in since the last change: a visitor of ours, at a descriptor whose upload we may not have seen. */
  readonly wasVisited: boolean;
  /** How often tor was made to announce it again, since everything was confirmed. */
  readonly repeats: number;
}

/**
 * Why an upload is looked out for: something in the descriptor changed; it is only given out again; it should have been,
 * and that was put off.
 */
export type UploadCause = 'changed' | 'repeated' | 'postponed';

/** What was not confirmed is uploaded again, by how often that was done. tor does it by itself each hour or two. */
const WAITS_SECONDS = [20, 60, 120, 300, 600, 1800] as const;

export function lateAfterMs(repeats: number): number {
  return (WAITS_SECONDS[Math.min(repeats, WAITS_SECONDS.length - 1)] ?? 1800) * 1000;
}

export const NOTHING_UPLOADED: DescriptorUploads = {
  directories: 0,
  confirmed: 0,
  isFindable: false,
  isExpected: false,
  waitingMs: 0,
  wasComplete: false,
  refusal: undefined,
  wasVisited: false,
  repeats: 0,
};
