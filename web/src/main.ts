import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { language } from './lib/i18n/language.svelte.ts';

await language.use();
const target = document.getElementById('app');
if (target) mount(App, { target });
