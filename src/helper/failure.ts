import { GatewayError } from '../core/errors.ts';
import type { ServiceFailure } from '../core/namespace-operations.ts';

/** What failed for one service of many, as it is sent; anything but the world's refusal ends the operation. */
export function failureOf(error: unknown): Omit<ServiceFailure, 'service'> {
  if (!(error instanceof GatewayError) || error.code === 'Aborted') throw error;
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
