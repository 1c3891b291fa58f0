import type { supervise as en } from '../en/supervise.ts';

export const supervise: Record<keyof typeof en, string> = {};
