import { z } from 'zod';

/**
 * Everything that can happen, for people and tests; no module may depend on an event to be correct.
 * Present participle while it starts, past tense when done, `failed` when it failed.
 */
export const EVENT_TYPES = {
  'daemon.started': 'The daemon started and adopted what runs.',
  'daemon.stopped': 'The daemon stopped; ways in that were open stay open.',
  'plan.computed': 'A pass found something to change.',
  'change.applying': 'A change begins.',
  'change.applied': 'A change is in the world.',
  'change.healed':
    'Something of ours was found broken, such as a program that ended or does not answer, and was put right.',
  'change.failed': 'A change did not work; it is tried again.',
  'condition.changed': 'A condition of a way in changed its status.',
  'fallback.engaged': 'A way in failed, and the next one that works is told to people instead.',
  'fallback.released': 'A better way in works again and is told to people instead of the one that took over.',
  'notice.sent': 'Somebody was told what is wrong, or that it is over.',
  'config.applied': 'A configuration became a new generation.',
  'config.rolledBack': 'The file was set back to an earlier generation.',
  'gateway.down': 'Everything of ours was removed from the machine; keys, devices and addresses are kept.',
  'device.added': 'A device was added.',
  'device.granted': 'A device was given services.',
  'device.ungranted': 'Services were taken away from a device and its connections with them cut.',
  'device.renewed': 'A device was given new keys; the old ones are revoked.',
  'device.expired': 'The time of a device was over; it was revoked.',
  'device.revoked': 'A device was revoked and its session cut.',
  'device.fetched': 'A device fetched its certificate by the one-time link.',
  'device.linkRefused': 'Somebody asked for a certificate by a link that is used, over or unknown.',
  'token.minted': "A macaroon or rune of a device's own was made at a Lightning node.",
  'token.revoked': 'A Lightning node took back the macaroon or rune of a device.',
  'key.imported': 'The key of an onion service was taken over from another tor.',
  'address.changed': 'The home is at another public address, or somebody else tells one.',
  'address.told':
    'A Lightning node or a program was told the new public address, or a node to announce the old one no more.',
  'relay.joined': 'A relay was joined: it may look from outside whether ways in work.',
  'relay.left': 'A relay was left; it is told nothing any more.',
  'relay.rekeyed': 'The key of our end of the tunnel to a relay was replaced.',
  'relay.changed': 'A relay began or ceased to answer.',
  'tunnel.dialled':
    'The tunnel to a relay was silent, and was dialled again at an address that was looked up anew.',
  'tunnel.healed': 'The tunnel to a relay that was dialled again works.',
  'mapping.made': 'The router opened a port, or opened it again.',
  'mapping.lost': 'The router forgot a port that it had opened, or the network changed; it is asked again.',
  'mapping.allowed': 'The owner allowed routers farther out to be asked for ports, or took it back.',
  'mapping.dead': 'A port that the router lists let nobody in, seen from outside; what is tried now.',
  'mapping.healed': 'Visitors from outside come in through a port again.',
  'mapping.moved': 'A port has another number outside than people were told.',
  'mapping.failed': 'No protocol of the router opened a port; it is tried again.',
  'mapping.removed': 'A port was closed in the router.',
  'mapping.tried':
    'A TCP port was opened in the router for a moment, so that Tor exits could try whether it forwards.',
  'mapping.left': 'A port could not be closed in the router; it ends by itself or must be removed there.',
  'certificate.ordered': 'A certificate authority was asked for a certificate.',
  'certificate.renewed': 'A certificate was obtained and checked, and is served from now on.',
  'certificate.revoked':
    'An authority revoked a certificate, because the owner said so; another one is ordered.',
  'certificate.failed': 'A certificate could not be had; it is tried again.',
  'certificate.switched': 'A proof that a name is ours failed; another kind of proof is tried next.',
  'certificate.damaged': 'A certificate on disk was damaged; it was put aside and another one is ordered.',
  'state.recovered': 'State on disk was damaged and was taken from the snapshot.',
} as const;

export type EventType = keyof typeof EVENT_TYPES;

/** Appends to the journal. */
export type Recorder = (type: EventType, message: string, data?: Readonly<Record<string, unknown>>) => void;

export const JournalEvent = z.object({
  seq: z.number(),
  /** ISO 8601 */
  at: z.string(),
  type: z.enum(Object.keys(EVENT_TYPES) as [EventType, ...EventType[]]),
  message: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type JournalEvent = z.infer<typeof JournalEvent>;
