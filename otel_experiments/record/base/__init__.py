"""What every part of recording rests on: settings, guard, names, ids, the current run, and protocols of what is above."""
