"""Protocol emulators of real arms, each a process of its own: what the makers' clients and the driver are tried against
without an arm. They speak the protocol and keep a state; they simulate no mechanics beyond following a goal."""
