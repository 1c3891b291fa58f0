import type { missed as en } from '../en/missed.ts';

export const missed: Record<keyof typeof en, string> = {};
