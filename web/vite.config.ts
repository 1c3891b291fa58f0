import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { licences } from './licences.ts';

// The daemon that `npm run dev` talks to.
const box = process.env['CALLBOX_URL'] ?? 'http://127.0.0.1:8080';
// The box refuses cross-site requests by their Origin, and the dev server is another site.
const toBox = { target: box, ws: true, headers: { origin: box } };

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), licences()],
  base: '/',
  build: {
    outDir: 'dist/app',
    emptyOutDir: true,
    target: 'es2022',
    // The pages' policy is default-src 'self': nothing inline, nothing in data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': toBox, '/healthz': toBox, '/docs': toBox, '/openapi.json': toBox } },
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.ts'],
    restoreMocks: true,
    env: { TZ: 'Asia/Shanghai' },
  },
}));
