import { isHostName, isPublicUnicast, parseIpv4 } from './inet.ts';

/** Names that no authority certifies, because they belong to nobody (RFC 6761, RFC 6762, RFC 7686, RFC 8375). */
const NOBODYS = ['localhost', 'local', 'onion', 'internal', 'home.arpa', 'lan'];

export type ReadDomain = { readonly domain: string } | { readonly fault: string };

/**
 * What a person writes as the name of a page, as DNS has it: lower case, no dot at the end, other scripts than Latin in
 * punycode (RFC 5891).
 *
 *   written                     | read
 *   ----------------------------+---------------------------
 *   Pay.Shop.example.           | pay.shop.example
 *   bücher.example              | xn--bcher-kva.example
 *   11.2.0.2                    | 11.2.0.2: a public IPv4 address, for who has no domain yet
 *   192.168.1.7                 | refused: nobody outside can reach it
 *   https://pay.shop.example/a  | refused: more than a name
 *   shop                        | refused: not a whole name
 *   *.shop.example              | refused: one page has one name
 */
export function readDomain(written: string): ReadDomain {
  if (/[\s/:@?#*]/.test(written)) return { fault: 'must be a name alone, like pay.example.com' };
  const name = asciiOf(written.replace(/\.$/, ''));
  if (isAddress(written)) {
    const isOpen = isPublicUnicast(written);
    return isOpen ? { domain: written } : { fault: 'is an address that nobody outside can reach' };
  }
  if (!isHostName(name) || !name.includes('.') || /^[0-9]+$/.test(name.split('.').at(-1) ?? '')) {
    return { fault: 'must be a whole DNS name, like pay.example.com' };
  }
  const nobodys = NOBODYS.find((end) => name === end || name.endsWith(`.${end}`));
  if (nobodys === undefined) return { domain: name };
  return { fault: `ends in .${nobodys}, which nobody can own: write a name of a domain that is yours` };
}

export function isAddress(domain: string): boolean {
  return parseIpv4(domain) !== undefined;
}

/** As a browser reads it (UTS 46); itself where that fails. */
function asciiOf(name: string): string {
  try {
    return new URL(`https://${name}`).hostname;
  } catch {
    return name;
  }
}
