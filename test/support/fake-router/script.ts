/**
 * How a fake router behaves, as data. What is left out is as it should be. test/fixtures/routers.ts has one for each
 * router that is known to get something wrong.
 */
export interface RouterScript {
  /** The router known for it, and where that is told. */
  readonly name: string;
  readonly ssdp?: {
    /** Questions that it hears. Default: both. */
    readonly hears?: 'both' | 'unicast' | 'group' | 'none';
    /** Answers from any free port, not from 1900. */
    readonly fromOtherPort?: boolean;
    /** Search targets that it answers; default: its own device and services. */
    readonly targets?: readonly string[];
    /** URLs of descriptions, in this order; default: its own one. */
    readonly locations?: readonly string[];
    readonly delayMs?: number;
    /** Sent before every answer. */
    readonly noise?: readonly string[];
  };
  /** Text of a description for each path; default: /rootDesc.xml with the services below. */
  readonly descriptions?: Readonly<Record<string, Description>>;
  readonly http?: {
    /** Default 5000. */
    readonly port?: number;
    /** Default `exact`. */
    readonly length?: 'exact' | 'missing' | 'too-long' | 'too-short' | 'chunked' | 'chunked-in-name-only';
    /** Sends byte by byte groups with pauses. */
    readonly inPieces?: boolean;
    /** The connection stays open after an answer. */
    readonly keepsOpen?: boolean;
    /** GETs of the description are sent there. */
    readonly redirect?: string;
    /** Takes connections and never says a word, after this many answers. */
    readonly hangsAfter?: number;
    /** Never ends a description. */
    readonly endless?: boolean;
  };
  /** Answers to an action, one after the other, the last one again and again; default: as its table says. */
  readonly actions?: Readonly<Record<string, readonly Answer[]>>;
  readonly table?: {
    /** Refuses leases with this code. */
    readonly refusesLeases?: number;
    /** Says yes to a timed mapping and forgets it. */
    readonly dropsTimed?: boolean;
    /** Lists this lease whatever was asked. */
    readonly listsLease?: number;
    readonly capsLease?: number;
    /** Lease 0 becomes this. */
    readonly permanentMeans?: number;
    readonly repeatExtends?: boolean;
    /** Refuses to map again what it has. */
    readonly refusesRepeats?: boolean;
    readonly size?: number;
    readonly fullCode?: number;
    /** Gives another port than was asked, in AddAnyPortMapping. */
    readonly movesPortTo?: number;
    /** Says yes to a deletion and keeps the entry, this many times. */
    readonly keepsDeleted?: number;
    /** Overwrites the internal client. */
    readonly forwardsTo?: string;
    readonly disables?: boolean;
    /** Writes its own description. */
    readonly writes?: string;
    readonly samePortOnly?: boolean;
    readonly refusesPortsBelow?: number;
    /** The table has no end: the last entry again for every index. */
    readonly endless?: boolean;
    readonly entries?: readonly Entry[];
  };
  /** Services of the default description; default: WANIPConnection:1. */
  readonly services?: readonly string[];
  /** Default 11.2.0.2. */
  readonly externalAddress?: string;
  /** Default 'Connected'. */
  readonly status?: string;
  /** Seconds; default 1000. */
  readonly uptime?: number;
  readonly bootId?: number;
}

export interface Entry {
  readonly protocol: 'TCP' | 'UDP';
  readonly externalPort: number;
  readonly internalPort: number;
  readonly client: string;
  readonly description: string;
  /** 0: no end. */
  readonly lease: number;
}

export type Answer =
  | { readonly fault: number; readonly text?: string }
  | { readonly values: Readonly<Record<string, string | number>> }
  | { readonly status: number; readonly body: string }
  | 'hang'
  | 'hang-up'
  /** As its table says. */
  | 'ordinary';

export interface Description {
  readonly services: readonly { readonly type: string; readonly control: string }[];
  readonly urlBase?: string;
  readonly friendlyName?: string;
  /** Put behind the document, or before it. */
  readonly suffix?: string;
  readonly prefix?: string;
}
