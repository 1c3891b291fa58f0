export const wallboard = {} as const;
