#!/usr/bin/env node
// The launcher: registers the TypeScript loader, then hands over to the program.
import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
