import {
  lateAfterMs,
  NOTHING_UPLOADED,
  type DescriptorUploads,
  type UploadCause,
} from '../core/descriptor.ts';
import type { DescriptorEvent } from '../wire/torcontrol.ts';

/** An upload to one directory. */
interface Upload {
  readonly askedAtMs: number;
  isConfirmed: boolean;
}

interface Descriptor {
  readonly beganAtMs: number;
  readonly byDirectory: Map<string, Upload>;
}

interface Onion {
  /** By blinded key, the newest last; of each what tor gave out last. */
  readonly descriptors: Map<string, Descriptor>;
  isExpected: boolean;
  /** Nothing is said to wait since before. */
  patientSinceMs: number;
  refusal: string | undefined;
  wasComplete: boolean;
  wasVisited: boolean;
  repeats: number;
}

/** Of this and of the next period. */
const DESCRIPTORS = 2;
/** tor begins all uploads of a descriptor at once; we may hear of them with a gap. */
const ONE_BATCH_MS = 10_000;

/**
 * Follows HS_DESC events. tor says when it begins an upload and when a directory took it or refused it, and nothing when
 * the connection to a directory came to nothing: then the confirmation is what does not come. It uploads again only after
 * 60 to 120 minutes, or when something changes (HS_SERVICE_NEXT_UPLOAD_TIME_MIN in hs_service.h).
 */
export class TorUploads {
  readonly #onions = new Map<string, Onion>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  take({ action, address, directory, descriptor, reason }: DescriptorEvent): void {
    if (action === 'UPLOAD' && descriptor !== undefined) this.#begin(address, descriptor, directory);
    if (action === 'UPLOADED') this.#confirm(address, directory);
    // A descriptor that is named is one that we, as a client, did not get.
    const onion = this.#onions.get(address);
    if (action === 'FAILED' && descriptor === undefined && onion !== undefined) onion.refusal = reason;
  }

  /** Until tor begins to announce it, what was confirmed before says nothing. */
  expect(address: string, cause: UploadCause): void {
    const onion = this.#of(address);
    onion.patientSinceMs = this.#now();
    onion.isExpected ||= cause !== 'postponed';
    if (cause !== 'changed') onion.repeats += 1;
    else Object.assign(onion, { wasVisited: false, wasComplete: false, repeats: 0 });
  }

  visited(address: string): void {
    this.#of(address).wasVisited = true;
  }

  clear(): void {
    this.#onions.clear();
  }

  of(address: string): DescriptorUploads {
    const onion = this.#onions.get(address);
    if (onion === undefined) return NOTHING_UPLOADED;
    const { refusal, wasComplete, wasVisited, repeats, isExpected } = onion;
    const descriptors = [...onion.descriptors.values()].map(({ byDirectory }) => [...byDirectory.values()]);
    const uploads = descriptors.flat();
    const open = isExpected ? [] : uploads.filter(({ isConfirmed }) => !isConfirmed);
    const sinceMs = Math.max(onion.patientSinceMs, Math.min(...open.map(({ askedAtMs }) => askedAtMs)));
    const hasOne = descriptors.every((each) => each.some(({ isConfirmed }) => isConfirmed));
    return {
      directories: uploads.length,
      confirmed: isExpected ? 0 : uploads.length - open.length,
      isFindable: !isExpected && uploads.length > 0 && hasOne,
      isExpected,
      waitingMs: open.length === 0 ? 0 : Math.max(1, this.#now() - sinceMs),
      wasComplete,
      refusal,
      wasVisited,
      repeats,
    };
  }

  /** Until the first upload is late, of those that are not yet; `undefined`: nothing is waited for. */
  lateInMs(): number | undefined {
    const waits = [...this.#onions.keys()].flatMap((address) => {
      const { waitingMs, repeats } = this.of(address);
      const restMs = lateAfterMs(repeats) - waitingMs;
      return waitingMs === 0 || restMs < 0 ? [] : [restMs];
    });
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  #begin(address: string, name: string, directory: string): void {
    const onion = this.#of(address);
    const now = this.#now();
    const known = onion.descriptors.get(name);
    // What tor gave out before is ended by tor itself.
    const isNewer =
      known === undefined || known.byDirectory.has(directory) || now - known.beganAtMs > ONE_BATCH_MS;
    const descriptor = isNewer ? { beganAtMs: now, byDirectory: new Map<string, Upload>() } : known;
    descriptor.byDirectory.set(directory, { askedAtMs: now, isConfirmed: false });
    onion.descriptors.delete(name);
    onion.descriptors.set(name, descriptor);
    const [oldest] = onion.descriptors.keys();
    if (onion.descriptors.size > DESCRIPTORS && oldest !== undefined) onion.descriptors.delete(oldest);
    onion.isExpected = false;
    if (isNewer) onion.refusal = undefined;
  }

  /** tor does not say which descriptor it was; the one that waits longest is meant, and all must come. */
  #confirm(address: string, directory: string): void {
    const onion = this.#of(address);
    const uploads = [...onion.descriptors.values()].flatMap(
      ({ byDirectory }) => byDirectory.get(directory) ?? [],
    );
    const upload = uploads.find(({ isConfirmed }) => !isConfirmed);
    if (upload === undefined) return this.visited(address);
    upload.isConfirmed = true;
    if (this.of(address).waitingMs === 0) Object.assign(onion, { wasComplete: true, repeats: 0 });
  }

  #of(address: string): Onion {
    const known = this.#onions.get(address);
    if (known !== undefined) return known;
    const onion: Onion = {
      descriptors: new Map(),
      isExpected: false,
      patientSinceMs: 0,
      refusal: undefined,
      wasComplete: false,
      wasVisited: false,
      repeats: 0,
    };
    this.#onions.set(address, onion);
    return onion;
  }
}
