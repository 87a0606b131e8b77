import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, messageOf } from '../../core/errors.ts';
import { deserialise, serialise, type State } from '../../core/state.ts';
import { fileError } from '../files.ts';
import { SCHEMA, type Copy } from './copy.ts';

/**
 * `snapshot.json` and its predecessor. Synchronous, because the fingerprint of a key must be durable when `remember`
 * returns. The checksum covers every byte behind it.
 */
export class Snapshot {
  readonly #path: string;
  readonly #previous: string;
  readonly #draft: string;

  constructor(path: string) {
    this.#path = path;
    this.#previous = path.replace(/(\.json)?$/, '.prev.json');
    this.#draft = join(dirname(path), '.snapshot.tmp');
  }

  read(): Copy {
    return readCopy(this.#path);
  }

  readPrevious(): Copy {
    return readCopy(this.#previous);
  }

  /** There is a whole snapshot at every moment: the old one is linked aside, the new one is renamed over it. */
  write(state: State): void {
    try {
      writeSynced(this.#draft, render(state));
      rmSync(this.#previous, { force: true });
      linkIfExists(this.#path, this.#previous);
    } catch (error) {
      rmSync(this.#draft, { force: true });
      throw fileError(`${this.#path} could not be written`, error);
    }
    this.#replace();
  }

  #replace(): void {
    try {
      renameSync(this.#draft, this.#path);
      syncDirectory(dirname(this.#path));
    } catch (error) {
      if (!existsSync(this.#draft)) this.undo();
      throw fileError(`${this.#path} could not be written`, error);
    }
  }

  /** Takes the last write back. Needs no space on the disk. */
  undo(): void {
    try {
      renameSync(this.#previous, this.#path);
      syncDirectory(dirname(this.#path));
    } catch (error) {
      throw fileError(`${this.#path} could not be set back`, error);
    }
  }

  /** Keeps a damaged one for who wants to look. */
  putAside(stamp: string): void {
    try {
      renameSync(this.#path, `${this.#path}.damaged-${stamp}`);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(`${this.#path} could not be put aside`, error);
    }
  }
}

const FORM = /^\{"sha256":"([0-9a-f]{64})",("schema":([0-9]{1,9}),"state":.*\}\n)$/s;

function render(state: State): string {
  const covered = `"schema":${SCHEMA},"state":${serialise(state)}}\n`;
  return `{"sha256":"${digest(covered)}",${covered}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function readCopy(path: string): Copy {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { status: 'missing' };
    throw fileError(`${path} could not be read`, error);
  }
  return parseSnapshot(bytes);
}

/** What the bytes of a snapshot say. */
export function parseSnapshot(bytes: Buffer): Copy {
  const match = FORM.exec(bytes.toString('utf8'));
  if (match === null) return { status: 'damaged', why: 'it is cut off or is not a snapshot' };
  const [, sha256 = '', covered = '', schema = ''] = match;
  // Of the bytes, not of the text: an invalid sequence would read as U+FFFD, as if it had been one.
  if (digest(covered) !== sha256 || Buffer.byteLength(match[0]) !== bytes.length) {
    return { status: 'damaged', why: 'its checksum does not match' };
  }
  if (Number(schema) > SCHEMA) return { status: 'later', schema: Number(schema) };
  return parseState(`{${covered}`);
}

function parseState(text: string): Copy {
  try {
    const value: unknown = JSON.parse(text);
    const state = deserialise(
      typeof value === 'object' && value !== null && 'state' in value ? value.state : null,
    );
    if (state !== undefined) return { status: 'healthy', state, text: serialise(state) };
    return { status: 'damaged', why: 'its content is not a state' };
  } catch (error) {
    return { status: 'damaged', why: messageOf(error) };
  }
}

function writeSynced(path: string, text: string): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = openSync(path, flags, 0o600);
  try {
    fchmodSync(file, 0o600);
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length;) offset += writeSync(file, bytes, offset);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function linkIfExists(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
