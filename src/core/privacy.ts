import type { Capabilities, Problem } from './contract.ts';
import { PRIVACIES, type Egress, type Privacy } from './service.ts';

type Shown = Pick<Capabilities, 'network' | 'showsHomeAddress' | 'showsPublicName'>;

/**
 * May a service with this privacy be reached through a provider that shows this?
 *
 *   privacy           | onion, shows nothing | shows home address | shows public name | shows nothing, no onion
 *   ------------------+----------------------+--------------------+-------------------+------------------------
 *   open              | yes                  | yes                | yes               | yes
 *   hide-home-address | yes                  | no                 | yes               | yes
 *   no-clearnet       | yes                  | no                 | no                | yes
 *   tor-only          | yes                  | no                 | no                | no
 *
 * A provider that shows both is refused where either is.
 */
export function isAllowed(privacy: Privacy, shown: Shown): boolean {
  return whyForbidden(privacy, shown) === undefined;
}

function whyForbidden(privacy: Privacy, shown: Shown): string | undefined {
  if (privacy === 'open') return undefined;
  if (privacy === 'tor-only' && shown.network !== 'onion') return 'is not Tor';
  if (shown.showsHomeAddress) return 'shows visitors the address of the home';
  if (shown.showsPublicName && privacy !== 'hide-home-address') return 'gives the service a public name';
  return undefined;
}

/** A service that only Tor may know of must not show itself by what it asks of others. */
export function egressProblem(service: {
  readonly name: string;
  readonly privacy: Privacy;
  readonly egress?: Egress | undefined;
}): Problem | undefined {
  if (service.privacy !== 'tor-only' || service.egress !== 'direct') return undefined;
  return {
    code: 'PrivacyForbids',
    service: service.name,
    message: `${service.name} has privacy tor-only and is not let out directly, which shows the address of the home: it reaches nothing`,
    hint: `set services.${service.name}.egress to tor or none, or its privacy to hide-home-address`,
  };
}

/** Why this exposure is left out, in words; `undefined` when it may be. */
export function privacyProblem(
  service: { readonly name: string; readonly privacy: Privacy },
  provider: { readonly id: string; readonly capabilities: Shown },
): Problem | undefined {
  const why = whyForbidden(service.privacy, provider.capabilities);
  if (why === undefined) return undefined;
  const enough = PRIVACIES.filter((privacy) => isAllowed(privacy, provider.capabilities)).join(' or ');
  return {
    code: 'PrivacyForbids',
    service: service.name,
    message: `${service.name} has privacy ${service.privacy} and is not exposed through ${provider.id}, which ${why}`,
    hint: `remove ${provider.id} from services.${service.name}.expose, or set its privacy to ${enough}`,
  };
}

/**
 * Sentences about services of which an onion is known together with the home:
 *
 *   ways in of one service               | tied
 *   -------------------------------------+-----
 *   an onion alone                       | no
 *   an onion, and devices by WireGuard   | no: only devices that were added know both
 *   an onion, and a home address or name | yes
 */
export function tieWarnings(
  exposures: readonly { readonly service: { readonly name: string }; readonly provider: string }[],
  providers: readonly { readonly id: string; readonly capabilities: Shown }[],
): string[] {
  const shownBy = new Map(providers.map(({ id, capabilities }) => [id, capabilities]));
  const ofService = Map.groupBy(exposures, ({ service }) => service.name);
  return [...ofService].flatMap(([name, ways]) => {
    const shown = ways.flatMap(({ provider }) => shownBy.get(provider) ?? []);
    const isOnion = shown.some(({ network }) => network === 'onion');
    const ties = ways.filter(({ provider }) => {
      const { showsHomeAddress = false, showsPublicName = false } = shownBy.get(provider) ?? {};
      return showsHomeAddress || showsPublicName;
    });
    if (!isOnion || ties.length === 0) return [];
    const by = ties.map(({ provider }) => provider).join(' and ');
    return [
      `${name} has an onion and is exposed through ${by}: whoever visits both can tell that they are one service, and so whose onion it is; an onion that is to hide that needs a service of its own, with privacy tor-only`,
    ];
  });
}
