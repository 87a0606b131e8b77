import { EMPTY_STATE, type State } from '../../core/state.ts';
import { SCHEMA, type Copies, type Copy } from './copy.ts';

export type Decision =
  | {
      readonly state: State;
      readonly snapshot: 'keep' | 'write';
      /** `replace`: put the one that is there aside and make a new one. */
      readonly database: 'keep' | 'update' | 'replace';
      /** For the owner: what was wrong and what was taken. */
      readonly said: readonly string[];
    }
  | { readonly refused: string; readonly hint: string };

/**
 * A change is written to the snapshot first and to the database second, so n + 1 in the snapshot above n in the
 * database is what a crash leaves, and the database is then the same as the predecessor of the snapshot.
 *
 *   snapshot | predecessor | database          | taken
 *   ---------+-------------+-------------------+------------------------------------------------------
 *   n        | any         | n, the same       | n
 *   n + 1    | n           | n, the same as it | n + 1; a crash in the middle, nothing is said
 *   n        | any         | missing           | snapshot; said unless n is 0
 *   n        | any         | anything else     | snapshot; database put aside; said
 *   bad      | any         | healthy, at or after the predecessor | database; said
 *   missing  | missing     | missing           | nothing was ever stored
 *   bad      | any         | bad               | refused: going one change back would revive a revoked device
 */
export function decide(copies: Copies): Decision {
  const { snapshot, database } = copies;
  if (snapshot.status === 'later') return later('snapshot.json', snapshot.schema);
  if (snapshot.status === 'healthy') return bySnapshot(copies, snapshot);
  if (database.status === 'later') return later('state.db', database.schema);
  if (database.status === 'healthy') return byDatabase(copies, database);
  const isNew = [snapshot, copies.previous, database].every(({ status }) => status === 'missing');
  if (!isNew) return refuse(copies);
  return { state: EMPTY_STATE, snapshot: 'write', database: 'replace', said: [] };
}

type Healthy = Extract<Copy, { status: 'healthy' }>;

function bySnapshot({ previous, database }: Copies, snapshot: Healthy): Decision {
  const { state } = snapshot;
  if (database.status === 'healthy') {
    if (database.text === snapshot.text) return { state, snapshot: 'keep', database: 'keep', said: [] };
    const isCrash = previous.status === 'healthy' && database.text === previous.text;
    if (isCrash && state.counter === database.state.counter + 1) {
      return { state, snapshot: 'keep', database: 'update', said: [] };
    }
  }
  const said =
    database.status === 'missing' && state.counter === 0 ? [] : [sayReplaced(database, state.counter)];
  return { state, snapshot: 'keep', database: 'replace', said };
}

function sayReplaced(database: Copy, counter: number): string {
  const taken = `everything was taken from snapshot.json, which is complete (change ${counter})`;
  if (database.status === 'missing') return `state.db was missing; ${taken}`;
  const why = database.status === 'healthy' ? 'does not agree with snapshot.json' : faultOf(database);
  return `state.db was damaged (${why}) and is put aside; ${taken}; older events are in the damaged file`;
}

function byDatabase(copies: Copies, database: Healthy): Decision {
  const { snapshot, previous } = copies;
  const { state, text } = database;
  if (previous.status === 'healthy') {
    const { counter } = previous.state;
    const follows = state.counter > counter || (state.counter === counter && text === previous.text);
    if (!follows)
      return refuse({
        ...copies,
        database: { status: 'damaged', why: 'it is older than snapshot.prev.json' },
      });
  }
  const isNew = snapshot.status === 'missing' && previous.status === 'missing' && state.counter === 0;
  const why = snapshot.status === 'missing' ? 'was missing' : `was damaged (${faultOf(snapshot)})`;
  const said = `snapshot.json ${why}; it was written again from state.db, which is complete (change ${state.counter})`;
  return { state, snapshot: 'write', database: 'keep', said: isNew ? [] : [said] };
}

function refuse({ snapshot, previous, database }: Copies): Decision {
  return {
    refused: `the state is damaged twice: snapshot.json (${faultOf(snapshot)}) and state.db (${faultOf(database)}); nothing was changed`,
    hint:
      previous.status === 'healthy'
        ? 'restore a backup; or copy snapshot.prev.json to snapshot.json, which goes one change back: if that was a revoked device, revoke it again'
        : 'restore a backup',
  };
}

function later(file: string, schema: number): Decision {
  return {
    refused: `${file} was written by a later version of gateway (form ${schema}; this version knows ${SCHEMA}); nothing was changed`,
    hint: 'start the later version, or restore a backup that this version made',
  };
}

function faultOf(copy: Copy): string {
  if (copy.status === 'damaged') return copy.why;
  return copy.status === 'later' ? `it claims form ${copy.schema}` : copy.status;
}
