/**
 * A private Tor network (TestingTorNetwork) of stock tor processes, as text; pure. Every relay is a directory
 * authority as well: a plain relay needs 6 to 13 seconds more before it serves directory documents, and a client that
 * asks it gets 404 and waits. Four relays are the fewest that work, the last one is the exit.
 */
export interface Relay {
  readonly name: string;
  readonly address: string;
  /** Fingerprint of its authority identity key. */
  readonly identity: string;
  /** Fingerprint of its relay key. */
  readonly fingerprint: string;
  readonly isExit: boolean;
}

export const OR_PORT = 9001;
export const DIRECTORY_PORT = 9030;

/**
 * Seconds between the first votes, and before the first one. Who has not told of itself by then is not in the consensus, and
 * the next vote is an hour away: on a busy machine five were too few.
 */
export const INITIAL_INTERVAL = 10;

/**
 * Voting by the hour: onion services rotate descriptors every 24 intervals, so a day's interval makes republished
 * descriptors invalid. 336 intervals: a kept consensus stays valid for a fortnight (and is used for 20 hours).
 */
const SHARED = [
  'TestingTorNetwork 1',
  'PathsNeededToBuildCircuits 0.25',
  'V3AuthVotingInterval 3600',
  'V3AuthVoteDelay 2',
  'V3AuthDistDelay 2',
  'V3AuthNIntervalsValid 336',
  `TestingV3AuthInitialVotingInterval ${INITIAL_INTERVAL}`,
  'TestingV3AuthInitialVoteDelay 2',
  'TestingV3AuthInitialDistDelay 2',
  'TestingMinTimeToReportBandwidth 1',
];

/**
 * After some hundred circuits tor learns from this network, where nothing takes time, to give one up after 55 ms. A process
 * that starts on the same core takes longer, and a rendezvous that was given up twice leaves its visitor waiting.
 */
const PATIENT = ['LearnCircuitBuildTimeout 0', 'CircuitBuildTimeout 10'];

/** Lines that make a Tor client live in this network, and only in it. Ends with a newline. */
export function clientLines(relays: readonly Relay[]): string {
  return `${[...SHARED, ...PATIENT, ...authorityLines(relays)].join('\n')}\n`;
}

function authorityLines(relays: readonly Relay[]): string[] {
  return relays.map(
    ({ name, address, identity, fingerprint }) =>
      `DirAuthority ${name} orport=${OR_PORT} no-v2 v3ident=${identity} ${address}:${DIRECTORY_PORT} ${fingerprint}`,
  );
}

export interface RelayPlace {
  readonly directory: string;
  /** Seconds since the epoch at which the first vote should fall. */
  readonly firstVote: number;
}

/** The torrc of one relay. */
export function relayTorrc(
  relay: Relay,
  relays: readonly Relay[],
  { directory, firstVote }: RelayPlace,
): string {
  const exits = relays.filter(({ isExit }) => isExit).map(({ fingerprint }) => fingerprint);
  return `${[
    ...SHARED,
    ...authorityLines(relays),
    `DataDirectory ${directory}`,
    `PidFile ${directory}/pid`,
    `Log notice file ${directory}/notice.log`,
    'RunAsDaemon 1',
    'ShutdownWaitLength 0',
    // Puts the grid of votes where the start is: a vote taken too early lists too few relays for an hour.
    `TestingV3AuthVotingStartOffset ${firstVote % INITIAL_INTERVAL}`,
    `Nickname ${relay.name}`,
    `Address ${relay.address}`,
    `ORPort ${relay.address}:${OR_PORT} IPv4Only`,
    `DirPort ${relay.address}:${DIRECTORY_PORT}`,
    `OutboundBindAddress ${relay.address}`,
    'SocksPort 0',
    'AssumeReachable 1',
    'NumCPUs 1',
    'GeoIPFile',
    'GeoIPv6File',
    'BandwidthRate 1 GBytes',
    'BandwidthBurst 1 GBytes',
    'ExtraInfoStatistics 0',
    'AuthoritativeDirectory 1',
    'V3AuthoritativeDirectory 1',
    'ContactInfo lab@example.org',
    'TestingDirAuthVoteGuard *',
    'TestingDirAuthVoteHSDir *',
    `TestingDirAuthVoteExit ${exits.join(',')}`,
    'TestingDirAuthVoteExitIsStrict 1',
    'TestingMinExitFlagThreshold 0',
    'AuthDirMaxServersPerAddr 0',
    'AuthDirTestReachability 0',
    ...(relay.isExit ? EXIT : ['ExitRelay 0', 'ExitPolicy reject *:*']),
  ].join('\n')}\n`;
}

const EXIT = [
  'ExitRelay 1',
  'IPv6Exit 0',
  'ExitPolicy accept *:*',
  'ExitPolicyRejectPrivate 0',
  'ServerDNSDetectHijacking 0',
  'ServerDNSTestAddresses',
  'ServerDNSAllowBrokenConfig 1',
];

/** How many relays a consensus lists, and since when it holds; `undefined` when the text is no consensus. */
export function readConsensus(text: string): { relays: number; validAfter: Date } | undefined {
  const validAfter = /^valid-after (\S+) (\S+)$/m.exec(text);
  if (validAfter === null) return undefined;
  return {
    relays: text.match(/^r /gm)?.length ?? 0,
    validAfter: new Date(`${validAfter[1]}T${validAfter[2]}Z`),
  };
}
