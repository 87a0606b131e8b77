import type { Provider } from '../src/core/contract.ts';
import { clearnet } from './clearnet/index.ts';
import { relay } from './relay/index.ts';
import { tor } from './tor/index.ts';
import { wireguard } from './wireguard/index.ts';

/**
 * The registry: a further provider is one folder and one line here. The engine hands back to a
 * provider only what the same provider produced, so that its own types may be forgotten here.
 */
export const providers: readonly Provider[] = [wireguard, tor, clearnet, relay];
