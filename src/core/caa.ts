import { baseOf, type Challenge } from './certificate.ts';

/** One CAA record of issue or issuewild (RFC 8659 4.2 and 4.3). */
export interface CaaRecord {
  readonly tag: 'issue' | 'issuewild';
  /** `letsencrypt.org; accounturi=https://…` */
  readonly value: string;
}

/** Who asks for a certificate, as records name it. */
export interface CaaAsker {
  /** Names by which the authority is known in records: `letsencrypt.org`. */
  readonly identities: readonly string[];
  /** Its name of our account. */
  readonly url: string;
}

/**
 * Why the records forbid a certificate for this name by this challenge; `undefined`: they allow it.
 *
 * | records at the name, or at the nearest one above that has some  | allowed                           |
 * | --------------------------------------------------------------- | --------------------------------- |
 * | none                                                            | yes                               |
 * | none of `issue` (for a wildcard: nor of `issuewild`)            | yes                               |
 * | one that names the authority, without parameters                | yes                               |
 * | … with accounturi and validationmethods (RFC 8657) that fit     | yes                               |
 * | none that fits                                                  | no                                |
 */
export function caaRefusal(
  records: readonly CaaRecord[],
  name: string,
  asker: CaaAsker,
  challenge: Challenge,
): string | undefined {
  const relevant = relevantTo(records, name);
  if (relevant.length === 0 || asker.identities.length === 0) return undefined;
  const refusals = relevant.map(({ value }) => refusalOf(value, asker, challenge));
  if (refusals.includes(undefined)) return undefined;
  const mine = refusals.find((refusal) => refusal !== 'other');
  if (mine !== undefined && mine !== 'other') return mine;
  const others = relevant.map(({ value }) => parse(value).issuer || 'nobody').join(', ');
  return `its CAA records allow ${others}, not ${asker.identities.join(' or ')}`;
}

function relevantTo(records: readonly CaaRecord[], name: string): readonly CaaRecord[] {
  const wild = records.filter(({ tag }) => tag === 'issuewild');
  return name.startsWith('*.') && wild.length > 0 ? wild : records.filter(({ tag }) => tag === 'issue');
}

/** `other`: it is about another authority. */
function refusalOf(value: string, { identities, url }: CaaAsker, challenge: Challenge): string | undefined {
  const { issuer, parameters } = parse(value);
  if (!identities.some((identity) => identity.toLowerCase() === issuer)) return 'other';
  const accounturi = parameters.get('accounturi');
  if (accounturi !== undefined && accounturi !== url) {
    return `its CAA record is for the account ${accounturi.slice(0, 200)}, and ours is ${url}`;
  }
  const methods = parameters.get('validationmethods');
  if (methods !== undefined && !methods.split(',').includes(challenge)) {
    return `its CAA record allows ${methods.slice(0, 100)}, not ${challenge}`;
  }
  return undefined;
}

function parse(value: string): { issuer: string; parameters: ReadonlyMap<string, string> } {
  const [issuer = '', ...rest] = value.split(';').map((part) => part.trim());
  const parameters = rest.flatMap((part): [string, string][] => {
    const at = part.indexOf('=');
    return at < 0 ? [] : [[part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()]];
  });
  return { issuer: issuer.toLowerCase(), parameters: new Map(parameters) };
}

/** Records with which nobody but these accounts gets a certificate for the name, and only by these challenges. */
export function caaToPublish(
  name: string,
  askers: readonly CaaAsker[],
  challenges: readonly Challenge[],
): string[] {
  const tag = name.startsWith('*.') ? 'issuewild' : 'issue';
  return askers.flatMap(({ identities, url }) => {
    const [identity] = identities;
    if (identity === undefined || challenges.length === 0) return [];
    const value = `${identity}; accounturi=${url}; validationmethods=${challenges.join(',')}`;
    return [`${baseOf(name)}. CAA 0 ${tag} "${value}"`];
  });
}

/** Do the records keep everybody but these accounts from a certificate for the name? */
export function isBound(records: readonly CaaRecord[], name: string, askers: readonly CaaAsker[]): boolean {
  return boundBy(records, name, askers, () => true);
}

/**
 * The same, and the account itself gets one by a record in the zone alone (RFC 8657 4): whoever is where the name leads, as
 * a relay is, can show a page or a certificate there, and gets none by that.
 */
export function isBoundToZone(
  records: readonly CaaRecord[],
  name: string,
  askers: readonly CaaAsker[],
): boolean {
  return boundBy(records, name, askers, (parameters) => parameters.get('validationmethods') === 'dns-01');
}

function boundBy(
  records: readonly CaaRecord[],
  name: string,
  askers: readonly CaaAsker[],
  isEnough: (parameters: ReadonlyMap<string, string>) => boolean,
): boolean {
  const relevant = relevantTo(records, name);
  const isOurs = ({ value }: CaaRecord): boolean => {
    const { issuer, parameters } = parse(value);
    if (issuer === '') return true;
    return askers.some(
      ({ identities, url }) =>
        identities.includes(issuer) && parameters.get('accounturi') === url && isEnough(parameters),
    );
  };
  return relevant.length > 0 && relevant.every(isOurs);
}
