export const secure = {} as const;
