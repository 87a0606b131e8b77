import type { Provider } from '../src/core/contract.ts';
import { tor } from './tor/index.ts';
import { wireguard } from './wireguard/index.ts';

/**
 * The registry: a further provider is one folder and one line here. Types are erased in this one place; that is sound
 * because the engine hands back to a provider only what the same provider produced.
 */
export const providers: readonly Provider[] = [wireguard, tor] as unknown as readonly Provider[];
