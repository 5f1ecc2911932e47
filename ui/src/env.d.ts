/** Whether this build may show made-up data; false in what ships. */
declare const __MOCK__: boolean;
