import { defineConfig } from "vite";

// `npm run dev` serves the front end on :5173 and hands /api on to a running `nissl review`:
// NISSL_API=http://127.0.0.1:8888 NISSL_TOKEN=... npm run dev
const api = process.env.NISSL_API ?? "http://127.0.0.1:8888";
const token = process.env.NISSL_TOKEN;

export default defineConfig({
  base: "./",
  build: {
    outDir: process.env.NISSL_STATIC ?? "../src/nissl/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing as data: URLs, so that the content policy stays strict
    chunkSizeWarningLimit: 700,
  },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": {
        target: api,
        changeOrigin: true,
        headers: token ? { Authorization: `Bearer ${token}`, Origin: api } : {},
      },
    },
  },
});
