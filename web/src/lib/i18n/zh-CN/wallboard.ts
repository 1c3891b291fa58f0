import type { wallboard as en } from '../en/wallboard.ts';

export const wallboard: Record<keyof typeof en, string> = {};
