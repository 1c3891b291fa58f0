import type { shelf as en } from '../en/shelf.ts';

export const shelf: Record<keyof typeof en, string> = {};
