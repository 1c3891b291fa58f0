export const missed = {} as const;
