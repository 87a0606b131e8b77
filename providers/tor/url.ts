import type { Service } from '../../src/core/service.ts';
import { isWeb, virtualPortOf } from './spec.ts';

export function urlOf(service: Service, hostname: string): string {
  return isWeb(service) ? `http://${hostname}` : `tcp://${hostname}:${virtualPortOf(service)}`;
}
