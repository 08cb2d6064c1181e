/**
 * To be imported before onnxruntime. Its builds from 1.30 on report to Microsoft what runs on a machine, under an id that they leave in the
 * home folder; they look for this variable when they are loaded. Threads of this process share it.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
