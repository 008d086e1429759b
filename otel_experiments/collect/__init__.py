"""From journals into a store: the drain of this process, the merge of others, and what a reader gathers from both."""
