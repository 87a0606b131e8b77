import type { Step } from './check.ts';
import { text, type MessageKey } from './messages/message.ts';
import type { RouterSeen } from './world.ts';

/** A port that the owner is to forward by hand. */
export interface Forward {
  readonly transport: 'tcp' | 'udp';
  readonly port: number;
  /** Address of this machine in the network of that router. */
  readonly to: string;
}

/**
 * Where each maker's pages have the form for a port, by what the router says of itself (UPnP manufacturer and model). Menus
 * differ between versions: the words are those that newer pages use.
 */
const MAKERS: readonly (readonly [RegExp, MessageKey])[] = [
  [/fritz|\bavm\b/i, 'router.menu.fritz'],
  [/tp-?link|archer|deco/i, 'router.menu.tp-link'],
  [/netgear|nighthawk|orbi/i, 'router.menu.netgear'],
  [/asus/i, 'router.menu.asus'],
  [/linksys|belkin/i, 'router.menu.linksys'],
  [/airport|apple/i, 'router.menu.airport'],
  [/openwrt|luci/i, 'router.menu.openwrt'],
  [/unifi|ubiquiti|edgerouter/i, 'router.menu.unifi'],
  [/mikrotik|routeros/i, 'router.menu.mikrotik'],
  [
    /speedport|livebox|fritzbox|home ?hub|smart ?hub|hub one|vodafone|telekom|orange|sagemcom|technicolor|arris|zte|huawei/i,
    'router.menu.provider',
  ],
];

export function menuOf(router: Pick<RouterSeen, 'manufacturer' | 'model'> | undefined): MessageKey {
  const said = `${router?.manufacturer ?? ''} ${router?.model ?? ''}`;
  return MAKERS.find(([pattern]) => pattern.test(said))?.[1] ?? 'router.menu.general';
}

/** The page to open, where the form is, and what to type into each of its fields. */
export function forwardSteps(
  router: RouterSeen | undefined,
  address: string | undefined,
  forwards: readonly Forward[],
): Step[] {
  const where = router?.address ?? address;
  const page = router?.page ?? (where === undefined ? undefined : `http://${where}`);
  const open: Step =
    page === undefined
      ? { text: text('router.open-somehow'), who: 'you' }
      : { text: text('router.open', { page }), who: 'you' };
  return [
    open,
    { text: text(menuOf(router)), who: 'you' },
    ...forwards.map(({ transport, port, to }): Step => ({
      text: text('router.fields', { transport: transport.toUpperCase(), port, to }),
      who: 'you',
    })),
    { text: text('router.same-address', { to: forwards[0]?.to ?? '' }), who: 'you' },
  ];
}
