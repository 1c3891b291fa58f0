import type { phone as en } from '../en/phone.ts';

export const phone: Record<keyof typeof en, string> = {
  'phone.ok': '话机在线',
  'phone.none': '话机离线',
  'phone.noneHint': '话机离线，来电不会分配给您。',
};
