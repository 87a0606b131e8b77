import type { Published } from '../../src/core/contract.ts';
import { lateAfterMs, type DescriptorUploads } from '../../src/core/descriptor.ts';

/**
 * Are the descriptors of an onion where visitors look? A visitor asks a few of the directories that should have them, and
 * turns to others when one has none. But one that has an older descriptor gives that: to an onion that asks for keys, whoever
 * was added since is then not let in. So such an onion counts as announced only when every directory has confirmed.
 *
 *   what was seen                        | open onion | asks for keys
 *   nothing, or only that tor has to      | unknown    | unknown
 *   all confirmed, or somebody got in    | yes        | yes, unless something is waited for
 *   each descriptor somewhere            | yes        | unknown; again when it is late
 *   a descriptor nowhere                 | unknown; no and again when it is late
 *   all confirmed before, now renewed    | yes until it is late
 */
export interface Announcing {
  readonly published: Published;
  /** Why tor should be made to announce it again now. */
  readonly again?: string;
}

export function judgeUploads(uploads: DescriptorUploads, isAsking: boolean): Announcing {
  const { directories, confirmed, isFindable, isExpected, waitingMs, refusal, repeats } = uploads;
  const isLate = waitingMs >= lateAfterMs(repeats);
  if (isEnough(uploads, isAsking, isLate)) return { published: UPLOADED };
  if (isExpected) return { published: pending('tor has not begun to upload its new descriptor') };
  // Or it was uploaded before we began to listen: the first visit that gets through tells.
  if (directories === 0) return { published: pending('its descriptor was not seen to be uploaded yet') };
  const progress = `${confirmed} of ${directories} uploads of its descriptors are confirmed`;
  if (repeats === 0 && !isLate) return { published: pending(progress) };
  const message = refusal === undefined ? progress : `${progress}, one was refused (${refusal})`;
  return {
    published: {
      status: isFindable ? 'unknown' : 'no',
      reason: 'DescriptorIncomplete',
      message: `${message}; they are uploaded again by themselves`,
    },
    ...(isLate ? { again: message } : {}),
  };
}

function isEnough(uploads: DescriptorUploads, isAsking: boolean, isLate: boolean): boolean {
  const { directories, isFindable, isExpected, waitingMs, wasComplete, wasVisited } = uploads;
  if (!isAsking) return isFindable || wasVisited || (wasComplete && !isLate);
  if (isExpected) return false;
  return waitingMs === 0 ? directories > 0 || wasVisited : wasComplete && !isLate;
}

const UPLOADED: Published = {
  status: 'yes',
  reason: 'DescriptorUploaded',
  message: 'its descriptor was uploaded',
};

function pending(message: string): Published {
  return { status: 'unknown', reason: 'DescriptorPending', message };
}
