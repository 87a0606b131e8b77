import { z } from 'zod';
import { CardCheck, DeviceCard } from '../core/card.ts';

export const CardBody = DeviceCard.meta({ id: 'DeviceCard' });
export const CardChecked = CardCheck.meta({ id: 'CardCheck' });
export const CardProof = z
  .strictObject({ text: z.string().max(65_536), code: z.string().max(64) })
  .meta({ id: 'CardProof' });
