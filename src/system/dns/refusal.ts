import { GatewayError } from '../../core/errors.ts';

/** A host of names that said no for good: asked again before something changes, it may lock the account. */
export function refused(host: string, said: string, hint: string): GatewayError {
  return new GatewayError(`${host} refused the change: ${said}`, {
    code: 'NameRefused',
    retry: 'when-changed',
    hint,
  });
}

/** It said: not now. */
export function notNow(host: string, said: string, retryAfterSeconds?: number): GatewayError {
  const when = retryAfterSeconds === undefined ? '' : `, and to ask again in ${retryAfterSeconds} s`;
  return new GatewayError(`${host} could not make the change: ${said}${when}`, { code: 'NameNotChanged' });
}
